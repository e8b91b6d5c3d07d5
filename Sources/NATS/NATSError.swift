/// What is wrong with a URL, a connection or what the server says.
public struct NATSError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was being done.
  public let operation: String
  public let message: String

  public var description: String { "nats: \(operation): \(message)" }
}
