public import Base
public import RPC

/// A call that has ended, as a trace keeps it.
public struct CallSpan: Sendable, Equatable {
  public enum Side: Sendable, Equatable {
    case server
    case client
  }

  public var context: TraceContext
  /// The span of the operation that caused this one; nil for the first of its trace.
  public var parentID: UInt64?
  /// Whether the parent is in another process.
  public var hasRemoteParent: Bool
  public var side: Side
  public var service: String
  public var method: String
  /// The address of the client, on the server.
  public var peer: String?
  public var began: Instant
  public var ended: Instant
  public var status: StatusCode

  /// Whether the call failed by a fault of this side; OpenTelemetry's conventions for gRPC have the list for servers.
  var isError: Bool {
    switch (side, status) {
    case (_, .ok): false
    case (.client, _): true
    case (.server, .unknown), (.server, .deadlineExceeded), (.server, .unimplemented), (.server, .internal),
      (.server, .unavailable), (.server, .dataLoss):
      true
    case (.server, _): false
    }
  }
}
