import ChildProcess
import Foundation
import ProtobufRuntime

/// protoc, run on the protos of the tests and on the project's own.
enum Protoc {
  private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path

  /// The serialized FileDescriptorSet of `files` and, unless `alone`, of all that they import.
  static func descriptorSet(of files: String..., alone: Bool = false) throws -> [UInt8] {
    let output = FileManager.default.temporaryDirectory.appending(path: "octet-\(UUID().uuidString).binpb")
    defer { try? FileManager.default.removeItem(at: output) }
    let arguments =
      ["-I\(root)/Tests/Protos", "-I\(root)/Protos", "-I/usr/include", "--include_source_info"]
      + (alone ? [] : ["--include_imports"]) + ["--descriptor_set_out=\(output.path)"] + files
    let result = try ChildProcess.run("protoc", arguments)
    guard result.status == 0 else { throw ProtocFailure(status: result.status) }
    return Array(try Data(contentsOf: output))
  }

  /// A pool of `files` and all that they import.
  static func pool(of files: String...) throws -> DescriptorPool {
    var pool = DescriptorPool()
    for file in files { try pool.add(serializedFiles: DescriptorPool.files(inSet: descriptorSet(of: file))) }
    return pool
  }
}

struct ProtocFailure: Error {
  var status: Int32
}
