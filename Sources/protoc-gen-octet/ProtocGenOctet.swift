import CDescriptor
import CProtobufC
import Glibc
import ProtobufRuntime

/// `protoc --octet_out=DIR --octet_opt=… files`: protoc starts this program, writes a CodeGeneratorRequest to its
/// standard input and reads a CodeGeneratorResponse from its standard output.
///
/// `protoc-gen-octet --rewrite-for-c <set >rewritten`: makes of a descriptor set the one that protoc-gen-c is to be
/// given; see `CRewriter`.
@main
struct ProtocGenOctet {
  static func main() {
    do throws(GeneratorError) {
      switch CommandLine.arguments.dropFirst() {
      case []: StandardStreams.write(answer(StandardStreams.read()))
      case ["--rewrite-for-c"]: StandardStreams.write(try CRewriter.rewrite(StandardStreams.read()))
      default: throw GeneratorError("usage: protoc --octet_out=DIR …, or protoc-gen-octet --rewrite-for-c <set >set")
      }
    } catch {
      StandardStreams.writeError("protoc-gen-octet: \(error.message)\n")
      exit(1)
    }
  }

  /// The response to a serialized CodeGeneratorRequest. Errors in the protos are part of it, as protoc wants.
  private static func answer(_ serialized: [UInt8]) -> [UInt8] {
    do throws(GeneratorError) {
      let request = try GeneratorRequest(serialized)
      let pool: DescriptorPool
      do {
        var all = DescriptorPool()
        try all.add(serializedFiles: request.files)
        pool = all
      } catch {
        throw GeneratorError("\(error)")
      }
      let options = try Options(parameter: request.parameter)
      var generator = Generator(pool, options)
      return GeneratorResponse.serialized(try generator.generate(request.filesToGenerate))
    } catch {
      return GeneratorResponse.serialized(error)
    }
  }
}

/// A google.protobuf.compiler.CodeGeneratorRequest.
struct GeneratorRequest {
  var filesToGenerate: [String] = []
  var parameter = ""
  /// Serialized FileDescriptorProtos, imports first.
  var files: [[UInt8]] = []

  init(_ serialized: [UInt8]) throws(GeneratorError) {
    guard
      let request = google__protobuf__compiler__code_generator_request__unpack(nil, serialized.count, serialized)
    else {
      throw GeneratorError("not a CodeGeneratorRequest; protoc is to start this program")
    }
    defer { google__protobuf__compiler__code_generator_request__free_unpacked(request, nil) }
    let names = UnsafeBufferPointer(start: request.pointee.file_to_generate, count: request.pointee.n_file_to_generate)
    filesToGenerate = names.compactMap { $0.map { String(cString: $0) } }
    if let text = request.pointee.parameter { parameter = String(cString: text) }
    for case let file? in UnsafeBufferPointer(start: request.pointee.proto_file, count: request.pointee.n_proto_file) {
      let size = google__protobuf__file_descriptor_proto__get_packed_size(file)
      files.append(
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
          count = google__protobuf__file_descriptor_proto__pack(file, buffer.baseAddress)
        })
    }
  }
}

/// A google.protobuf.compiler.CodeGeneratorResponse, which has but three fields.
enum GeneratorResponse {
  /// FEATURE_PROTO3_OPTIONAL of `CodeGeneratorResponse.Feature`.
  private static let supportsOptional: UInt64 = 1

  static func serialized(_ files: [Generator.OutputFile]) -> [UInt8] {
    var writer = WireWriter()
    writer.tag(2, .varint)
    writer.varint(supportsOptional)
    for file in files {
      var item = WireWriter()
      item.tag(1, .lengthDelimited)
      item.lengthDelimited(file.path.utf8)
      item.tag(15, .lengthDelimited)
      item.lengthDelimited(file.content.utf8)
      writer.tag(15, .lengthDelimited)
      writer.lengthDelimited(item.bytes)
    }
    return writer.bytes
  }

  static func serialized(_ error: GeneratorError) -> [UInt8] {
    var writer = WireWriter()
    writer.tag(1, .lengthDelimited)
    writer.lengthDelimited(error.message.utf8)
    return writer.bytes
  }
}

/// Standard input and output as bytes.
enum StandardStreams {
  static func read() -> [UInt8] {
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(STDIN_FILENO, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return result }
      result.append(contentsOf: chunk[..<count])
    }
  }

  static func write(_ bytes: [UInt8]) {
    write(bytes, to: STDOUT_FILENO)
  }

  static func writeError(_ text: String) {
    write(Array(text.utf8), to: STDERR_FILENO)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { exit(1) }
      rest = rest.dropFirst(count)
    }
  }
}
