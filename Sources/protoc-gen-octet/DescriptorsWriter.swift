import ProtobufRuntime

/// Writes what reflection and tools read of a module: its file descriptors as they came from protoc, comments
/// included, as a C array (a Swift literal of that size would take minutes to compile), and the C header that gives
/// Swift the addresses of protobuf-c's descriptors.
struct DescriptorsWriter {
  let module: String
  let files: [FileDescriptor]

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
    let messages = files.flatMap(\.messages).flatMap { Self.withNested($0) }
    var text = "#pragma once\n\n"
    for file in files where !file.messages.isEmpty { text += "#include \"\(Self.headerPath(file))\"\n" }
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
    for file in files where !file.messages.isEmpty { text += "  header \"\(Self.headerPath(file))\"\n" }
    return text + "  header \"\(module)Descriptors.h\"\n  export *\n}\n"
  }

  private func swift() -> String {
    """
    // Made by protoc-gen-octet. Changes belong into the protos.

    internal import C\(module)

    /// The descriptors of this module's protos.
    public enum \(module)Descriptors {
      /// A serialized google.protobuf.FileDescriptorSet of this module's files, without their imports, with comments.
      public static var serializedFileDescriptorSet: [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: \(module)_descriptors(), count: \(descriptorSet().count)))
      }
    }

    """
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
