public import Base

/// What a mutating call is recognised by when it comes again.
public struct RequestKey: Sendable, Hashable {
  /// Who called; `Identifier(rawValue: 0)` for callers without an account.
  public let caller: Identifier

  /// The full name of the method, e.g. `octet.rides.v1.RideService/RequestRide`.
  public let method: String

  /// The 16 bytes of the UUID that the client made. Version 7 is cheapest to store: it rises with time.
  public let requestID: [UInt8]

  /// How long a repeat is recognised. A method may change from `.retention` to `.forever`, not back.
  public let keeping: RequestKeeping

  /// - Parameter requestID: a UUID in its usual form, 8-4-4-4-12 hexadecimal digits in either case.
  /// - Returns: nil if `requestID` is not a UUID.
  public init?(caller: Identifier, method: String, requestID: String, keeping: RequestKeeping = .retention) {
    guard let bytes = UUIDText.bytes(requestID) else { return nil }
    self.caller = caller
    self.method = method
    self.requestID = bytes
    self.keeping = keeping
  }

  /// Whether the id is a UUID of version 7. Rows of any other ids lie anywhere in a tree that outgrows the caches.
  package var isTimeOrdered: Bool { requestID[6] >> 4 == 7 }

  /// The method as it is stored: its name would be the longest part of a row.
  var methodHash: Int64 { StableHash.of(method) }
}

/// How long a stored reply is kept.
public enum RequestKeeping: Sendable, Hashable {
  /// At least for the retention that `RequestRetention` is given; a repeat after that is a new request.
  case retention
  /// For ever: money and bookings.
  case forever
}

/// A request id came again with another request.
public enum IdempotencyError: Error, Equatable {
  /// Reason `REQUEST_ID_REUSED`.
  case requestIDReused
}
