internal import CDescriptor
internal import CProtobufC

/// One proto file.
public final class FileDescriptor: Sendable {
  /// The name by which others import it: `octet/rides/v1/rides.proto`.
  public let name: String
  /// The package; empty if there is none.
  public let package: String
  /// `proto2` or `proto3`.
  public let syntax: String
  /// Names of the files that it imports.
  public let imports: [String]
  /// Those of `imports` that it passes on to whoever imports it.
  public let publicImports: [String]
  /// The messages at the top.
  public let messages: [MessageDescriptor]
  /// The enums at the top.
  public let enums: [EnumDescriptor]
  public let services: [ServiceDescriptor]
  /// The extensions at the top.
  public let extensions: [FieldDescriptor]
  /// The comment before the `syntax` or `package` line; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]
  /// The bytes of the FileDescriptorProto that this was made from, unchanged.
  public let serialized: [UInt8]

  /// Decodes a FileDescriptorProto. References to types are not followed yet; the pool does that.
  public init(serialized: [UInt8]) throws(DescriptorError) {
    do {
      try Self.checkNesting(WireReader(serialized), list: 4, depth: 0)
    } catch {
      throw .malformed(file: "", why: error == .tooDeep ? "messages nest too deeply" : "not a FileDescriptorProto")
    }
    guard let unpacked = google__protobuf__file_descriptor_proto__unpack(nil, serialized.count, serialized) else {
      throw .malformed(file: "", why: "not a FileDescriptorProto")
    }
    defer { google__protobuf__file_descriptor_proto__free_unpacked(unpacked, nil) }
    let proto = unpacked.pointee
    name = ProtobufRuntime.text(proto.name) ?? ""
    package = ProtobufRuntime.text(proto.package) ?? ""
    syntax = ProtobufRuntime.text(proto.syntax) ?? "proto2"
    let imports = texts(proto.n_dependency, proto.dependency)
    self.imports = imports
    publicImports = UnsafeBufferPointer(start: proto.public_dependency, count: proto.n_public_dependency)
      .compactMap { imports.indices.contains(Int($0)) ? imports[Int($0)] : nil }
    let comments = DescriptorSource.comments(proto.source_code_info)
    let source = DescriptorSource(file: name, package: package, isProto2: syntax == "proto2", comments: comments)
    messages = try pointees(proto.n_message_type, proto.message_type).enumerated()
      .map { index, item throws(DescriptorError) in try MessageDescriptor(item.pointee, source.item(4, index)) }
    enums = try pointees(proto.n_enum_type, proto.enum_type).enumerated()
      .map { index, item throws(DescriptorError) in try EnumDescriptor(item.pointee, source.item(5, index)) }
    services = pointees(proto.n_service, proto.service).enumerated()
      .map { ServiceDescriptor($1.pointee, source.item(6, $0)) }
    extensions = try pointees(proto.n_extension, proto.extension).enumerated()
      .map { index, item throws(DescriptorError) in try FieldDescriptor(item.pointee, source.item(7, index)) }
    comment = comments[[12]] ?? comments[[2]] ?? ""
    customOptions = ProtobufRuntime.customOptions(proto.options?.pointee.base)
    self.serialized = serialized
  }

  /// Follows nested_type (field 3 of DescriptorProto) below `list`, the field that holds messages at this level.
  private static func checkNesting(_ reader: WireReader, list: Int32, depth: Int) throws(DecodeError) {
    guard depth <= DecodeLimits.descriptors else { throw .tooDeep }
    var reader = reader
    while let tag = try reader.tag() {
      if tag == WireTag(number: list, type: .lengthDelimited) {
        try checkNesting(reader.lengthDelimited(), list: 3, depth: depth + 1)
      } else {
        try reader.skip(tag)
      }
    }
  }
}
