import OctetTypes
public import ProtobufRuntime
import WellKnownTypes

/// Turns a domain's messages into the records of an export.
public struct ExportJSON: Sendable {
  private let codec: JSONCodec

  /// - Parameter descriptors: serialized FileDescriptorSets of the messages' own protos.
  /// - Throws: what the runtime says about descriptors that do not fit together.
  public init(_ descriptors: [[UInt8]]) throws {
    codec = JSONCodec(
      try DescriptorPool(
        serializedFileDescriptorSets: [
          WellKnownTypesDescriptors.serializedFileDescriptorSet, OctetTypesDescriptors.serializedFileDescriptorSet,
        ] + descriptors))
  }

  /// Gives a message to an export.
  /// - Parameter kind: what it is called there; nil for its own name.
  public func write<Content: Message>(
    _ message: Content, as kind: String? = nil, to record: (_ kind: String, _ json: String) throws -> Void
  ) throws {
    let json = try codec.json(fromWire: message.encoded(), type: Content.fullName)
    let name = kind ?? String(Content.fullName.split(separator: ".").last ?? "")
    try record(name, String(decoding: json, as: UTF8.self))
  }
}
