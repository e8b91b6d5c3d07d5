import ProtobufRuntime

/// Writes what reflection and tools read of a module: its file descriptors as they came from protoc, comments
/// included, as a C array (a Swift literal of that size would take minutes to compile), and the C header that gives
/// Swift the addresses of protobuf-c's descriptors.
struct DescriptorsWriter {
  let module: String
  /// All files that the module describes.
  let files: [FileDescriptor]
  /// Those of them that have types in Swift and C.
  let typedFiles: [FileDescriptor]
  let names: TypeNames

  func output() -> [Generator.OutputFile] {
    [
      .init(path: "C\(module)/\(module)Descriptors.c", content: array()),
      .init(path: "C\(module)/include/\(module)Descriptors.h", content: header()),
      .init(path: "C\(module)/include/module.modulemap", content: moduleMap()),
      .init(path: "\(module)/\(module)Descriptors.octet.swift", content: swift()),
    ]
  }

  /// A FileDescriptorSet of this module's files: field 1 for each.
  private func descriptorSet() -> [UInt8] {
    var writer = WireWriter()
    for file in files {
      writer.tag(1, .lengthDelimited)
      writer.lengthDelimited(file.serialized)
    }
    return writer.bytes
  }

  private func array() -> String {
    let bytes = descriptorSet()
    var text = "#include \"\(module)Descriptors.h\"\n\n"
    text += "static const unsigned char descriptors[\(bytes.count) + 1] =\n"
    for start in stride(from: 0, to: bytes.count, by: 64) {
      text += "\""
      for byte in bytes[start..<min(start + 64, bytes.count)] { text += Self.octal[Int(byte)] }
      text += "\"\n"
    }
    text += bytes.isEmpty ? "\"\";\n" : ";\n"
    text += "\nconst void *\(module)_descriptors(void) { return descriptors; }\n"
    return text
  }

  private static let octal: [String] = (0...255).map { value in
    let digits = String(value, radix: 8)
    return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
  }

  private func header() -> String {
    let messages = typedFiles.flatMap(\.messages).flatMap { Self.withNested($0) }
    var text = "#pragma once\n\n"
    for file in typedFiles where !file.messages.isEmpty { text += "#include \"\(Self.headerPath(file))\"\n" }
    text += "\n// The serialized FileDescriptorSet, \(descriptorSet().count) bytes.\n"
    text += "const void *_Nonnull \(module)_descriptors(void);\n"
    for message in messages {
      let name = CNaming.lower(message.fullName)
      text += "\nstatic inline const ProtobufCMessageDescriptor *_Nonnull \(name)__layout(void) {\n"
      text += "  return &\(name)__descriptor;\n}\n"
    }
    return text
  }

  private func moduleMap() -> String {
    var text = "module C\(module) {\n"
    for file in typedFiles where !file.messages.isEmpty { text += "  header \"\(Self.headerPath(file))\"\n" }
    return text + "  header \"\(module)Descriptors.h\"\n  export *\n}\n"
  }

  private func swift() -> String {
    var out = SourceText()
    out.line("// Made by protoc-gen-octet. Changes belong into the protos.")
    out.line()
    out.line("internal import C\(module)")
    out.line("public import ProtobufRuntime")
    out.line()
    out.line("/// What the protos of this module say.")
    out.block("public enum \(module)Descriptors") { out in
      out.line(
        "/// A serialized google.protobuf.FileDescriptorSet of this module's files, without those that they import")
      out.line("/// from other modules, with comments.")
      out.block("public static var serializedFileDescriptorSet: [UInt8]") { out in
        let start = "\(module)_descriptors()"
        out.line("[UInt8](UnsafeRawBufferPointer(start: \(start), count: \(descriptorSet().count)))")
      }
      out.line()
      out.line("/// All message types of this module.")
      out.block("public static var messageTypes: [any Message.Type]") { out in
        out.line("var types: [any Message.Type] = []")
        // One statement each: the compiler is slow with long literals.
        for message in typedFiles.flatMap(\.messages).flatMap({ Self.withNested($0) }) where !message.isMapEntry {
          out.line("types.append(\(names.reference(to: message.fullName, in: [], module: module)).self)")
        }
        out.line("return types")
      }
    }
    return out.trimmed
  }

  private static func withNested(_ message: MessageDescriptor) -> [MessageDescriptor] {
    [message] + message.nestedMessages.flatMap { withNested($0) }
  }

  /// Where protoc-gen-c puts the header of a proto.
  private static func headerPath(_ file: FileDescriptor) -> String {
    let path = file.name.hasSuffix(".proto") ? String(file.name.dropLast(".proto".count)) : file.name
    return "\(path).pb-c.h"
  }
}
