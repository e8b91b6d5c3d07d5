public import CProtobufC

/// A message whose code protoc-gen-octet made: it knows how to copy itself out of and into the C struct that
/// protobuf-c unpacks and packs. The requirements are for generated code; everybody else uses `Message`.
public protocol GeneratedMessage: Message {
  /// What the decoded message had that its proto does not know.
  var unknownFields: UnknownFields { get set }

  /// How protobuf-c lays the message out.
  static var layout: MessageLayout { get }

  /// Copies the fields out of a C struct of this type. `self` is fresh from `init()`.
  mutating func read(from raw: UnsafeRawPointer, _ source: UnpackedMessage.Source)

  /// Copies the fields into a zeroed C struct of this type.
  func write(to raw: UnsafeMutableRawPointer, _ target: PackedMessage.Target)
}

/// protobuf-c's descriptor of one message type.
public struct MessageLayout: @unchecked Sendable {
  // Unchecked because the compiler cannot know that generated descriptors are constants.
  public let descriptor: UnsafePointer<ProtobufCMessageDescriptor>

  /// - Parameter descriptor: the address of a generated descriptor, which lives as long as the process.
  public init(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>) {
    self.descriptor = descriptor
  }
}

extension GeneratedMessage {
  @inlinable
  public init(decoding bytes: RawSpan, limits: DecodeLimits) throws(DecodeError) {
    self.init()
    let unpacked = try UnpackedMessage(bytes, Self.layout, limits)
    read(from: unpacked.message, unpacked.source)
    try unpacked.source.check()
  }

  @inlinable @inline(never)
  public func encoded(headroom: Int) -> [UInt8] {
    let packed = PackedMessage(Self.layout)
    write(to: packed.message, packed.target)
    return packed.bytes(headroom: headroom)
  }

  @inlinable
  public init(reading raw: UnsafeRawPointer, _ source: UnpackedMessage.Source) {
    self.init()
    read(from: raw, source)
  }
}
