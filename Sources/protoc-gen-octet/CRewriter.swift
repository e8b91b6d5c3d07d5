import CDescriptor
import CProtobufC
import Glibc

/// Rewrites a FileDescriptorSet so that protoc-gen-c 1.4.1 makes C from it that loses nothing on the wire.
///
/// All rewrites keep the wire form: strings become bytes (a NUL would cut a C string), enums become int32,
/// `optional` scalars and plain floats become oneofs of one field, map entries become ordinary messages. Names of
/// fields become numbers. Services, enums, extensions and options go: no C is needed for them.
///
/// Neither the set nor what is put into it is ever freed: the program ends after one set.
struct CRewriter {
  /// Which file defines each message.
  private var files: [String: String] = [:]

  /// - Parameter serialized: a FileDescriptorSet with all imports.
  static func rewrite(_ serialized: [UInt8]) throws(GeneratorError) -> [UInt8] {
    guard let set = google__protobuf__file_descriptor_set__unpack(nil, serialized.count, serialized) else {
      throw GeneratorError("not a FileDescriptorSet")
    }
    var rewriter = CRewriter()
    let all = UnsafeBufferPointer(start: set.pointee.file, count: set.pointee.n_file).compactMap { $0 }
    // proto2 has presence and defaults that this generator does not know; only descriptor.proto and its like have it.
    let proto3 = all.filter { $0.pointee.syntax.map { String(cString: $0) } == "proto3" }
    for file in proto3 { rewriter.index(file) }
    for file in proto3 { rewriter.rewrite(file) }
    var result = Google__Protobuf__FileDescriptorSet()
    google__protobuf__file_descriptor_set__init(&result)
    var kept: [UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>?] = proto3
    return kept.withUnsafeMutableBufferPointer { files in
      result.n_file = files.count
      result.file = files.baseAddress
      return [UInt8](unsafeUninitializedCapacity: google__protobuf__file_descriptor_set__get_packed_size(&result)) {
        $1 = google__protobuf__file_descriptor_set__pack(&result, $0.baseAddress)
      }
    }
  }

  private mutating func index(_ file: UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>) {
    let package = file.pointee.package.map { String(cString: $0) } ?? ""
    let messages = UnsafeBufferPointer(start: file.pointee.message_type, count: file.pointee.n_message_type)
    for case let message? in messages {
      index(message, scope: package.isEmpty ? "" : ".\(package)", file: String(cString: file.pointee.name))
    }
  }

  private mutating func index(
    _ message: UnsafeMutablePointer<Google__Protobuf__DescriptorProto>, scope: String, file: String
  ) {
    let name = "\(scope).\(String(cString: message.pointee.name))"
    files[name] = file
    let nested = UnsafeBufferPointer(start: message.pointee.nested_type, count: message.pointee.n_nested_type)
    for case let item? in nested { index(item, scope: name, file: file) }
  }

  private func rewrite(_ file: UnsafeMutablePointer<Google__Protobuf__FileDescriptorProto>) {
    file.pointee.n_service = 0
    file.pointee.n_enum_type = 0
    file.pointee.n_extension = 0
    file.pointee.options = nil
    file.pointee.source_code_info = nil
    var imports: Set<String> = []
    for case let message? in UnsafeBufferPointer(
      start: file.pointee.message_type, count: file.pointee.n_message_type)
    {
      rewrite(message, &imports)
    }
    imports.remove(String(cString: file.pointee.name))
    file.pointee.n_public_dependency = 0
    file.pointee.n_weak_dependency = 0
    file.pointee.n_dependency = imports.count
    file.pointee.dependency = Self.array(imports.sorted().map { strdup($0) })
  }

  private func rewrite(
    _ message: UnsafeMutablePointer<Google__Protobuf__DescriptorProto>, _ imports: inout Set<String>
  ) {
    message.pointee.options = nil
    message.pointee.n_enum_type = 0
    message.pointee.n_extension = 0
    message.pointee.n_extension_range = 0
    message.pointee.n_reserved_name = 0
    message.pointee.n_reserved_range = 0
    let oneofs = UnsafeBufferPointer(start: message.pointee.oneof_decl, count: message.pointee.n_oneof_decl)
    for (index, oneof) in oneofs.enumerated() {
      oneof?.pointee.name = strdup(CNaming.oneof(index))
      oneof?.pointee.options = nil
    }
    var added: [UnsafeMutablePointer<Google__Protobuf__OneofDescriptorProto>?] = Array(oneofs)
    for case let field? in UnsafeBufferPointer(start: message.pointee.field, count: message.pointee.n_field) {
      if field.pointee.type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE {
        if let type = field.pointee.type_name, let file = files[String(cString: type)] { imports.insert(file) }
      }
      rewrite(field, &added)
    }
    message.pointee.n_oneof_decl = added.count
    message.pointee.oneof_decl = Self.array(added)
    for case let nested? in UnsafeBufferPointer(
      start: message.pointee.nested_type, count: message.pointee.n_nested_type)
    {
      rewrite(nested, &imports)
    }
  }

  private func rewrite(
    _ field: UnsafeMutablePointer<Google__Protobuf__FieldDescriptorProto>,
    _ oneofs: inout [UnsafeMutablePointer<Google__Protobuf__OneofDescriptorProto>?]
  ) {
    let isRepeated = field.pointee.label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED
    var isFloat = false
    var isPackable = true
    switch field.pointee.type {
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING,
      GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES:
      field.pointee.type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES
      isPackable = false
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM:
      field.pointee.type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32
      field.pointee.type_name = nil
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT,
      GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_DOUBLE:
      isFloat = true
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE:
      isPackable = false
    default: break
    }
    let number = field.pointee.number
    field.pointee.name = strdup(CNaming.field(number))
    field.pointee.json_name = nil
    if field.pointee.proto3_optional != 0 {
      oneofs[Int(field.pointee.oneof_index)]?.pointee.name = strdup(CNaming.presence(number))
    } else if isFloat, !isRepeated, field.pointee.has_oneof_index == 0 {
      field.pointee.has_oneof_index = 1
      field.pointee.oneof_index = Int32(oneofs.count)
      oneofs.append(Self.oneof(named: CNaming.presence(number)))
    }
    field.pointee.has_proto3_optional = 0
    field.pointee.proto3_optional = 0
    let packed = field.pointee.options.flatMap { $0.pointee.has_packed != 0 ? $0.pointee.packed : nil } ?? 1
    field.pointee.options = isRepeated && isPackable ? Self.options(packed: packed) : nil
  }

  private static func oneof(named name: String) -> UnsafeMutablePointer<Google__Protobuf__OneofDescriptorProto> {
    let oneof = UnsafeMutablePointer<Google__Protobuf__OneofDescriptorProto>.allocate(capacity: 1)
    google__protobuf__oneof_descriptor_proto__init(oneof)
    oneof.pointee.name = strdup(name)
    return oneof
  }

  private static func options(
    packed: protobuf_c_boolean
  ) -> UnsafeMutablePointer<Google__Protobuf__FieldOptions> {
    let options = UnsafeMutablePointer<Google__Protobuf__FieldOptions>.allocate(capacity: 1)
    google__protobuf__field_options__init(options)
    options.pointee.has_packed = 1
    options.pointee.packed = packed
    return options
  }

  private static func array<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let start = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
    start.initialize(from: elements, count: elements.count)
    return start
  }
}
