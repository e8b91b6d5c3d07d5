public import ProtobufRuntime

/// One message in `grpc-status-details-bin`, packed as `google.protobuf.Any` packs it.
public struct ErrorDetail: Sendable, Equatable {
  /// `type.googleapis.com/` and the full name of the message.
  public var typeURL: String
  /// The wire form of the message.
  public var value: [UInt8]

  public init(typeURL: String, value: [UInt8]) {
    self.typeURL = typeURL
    self.value = value
  }

  /// Packs a message.
  public init<M: Message>(_ message: M) {
    self.init(typeURL: "type.googleapis.com/" + M.fullName, value: message.encoded())
  }

  /// Unpacks the message; nil if it is of another type or malformed.
  public func unpack<M: Message>(_ type: M.Type) -> M? {
    guard typeURL.utf8.split(separator: UInt8(ascii: "/")).last?.elementsEqual(M.fullName.utf8) == true else {
      return nil
    }
    return try? M(decoding: value)
  }
}
