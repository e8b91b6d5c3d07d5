public import ProtobufRuntime

/// A message as it goes into a stream: gRPC's five octets of prefix and the wire form. Encoded once, it can be written
/// to any number of streams, which share the bytes.
public struct EncodedMessage: Sendable, Equatable {
  /// Compressed-flag, length in four octets (big-endian), wire form.
  public let bytes: [UInt8]

  /// The octets before the wire form.
  @usableFromInline package static let prefixLength = 5

  @inlinable
  public init<M: Message>(_ message: M) {
    self.init(reserved: message.encoded(headroom: Self.prefixLength))
  }

  /// - Parameter bytes: a wire form after five octets for the prefix.
  @usableFromInline
  package init(reserved bytes: consuming [UInt8]) {
    let length = bytes.count - Self.prefixLength
    precondition(length <= UInt32.max, "a message is longer than gRPC can carry")
    bytes[1] = UInt8(truncatingIfNeeded: length >> 24)
    bytes[2] = UInt8(truncatingIfNeeded: length >> 16)
    bytes[3] = UInt8(truncatingIfNeeded: length >> 8)
    bytes[4] = UInt8(truncatingIfNeeded: length)
    self.bytes = bytes
  }
}
