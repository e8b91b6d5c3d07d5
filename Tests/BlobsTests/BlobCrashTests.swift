import Base
import Blobs
import ChildProcess
import Cryptography
import Foundation
import Storage
import StorageSQLite
import Testing

/// A process uploads as fast as it can and says over a pipe what has been acknowledged. It is killed with SIGKILL at a
/// random moment, again and again, on the same database and folder.
@Suite struct BlobCrashTests {
  private static let rounds = 8

  @Test func `kill -9 loses no acknowledged offset and no adopted blob`() async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    var (resumed, adopted) = (0, 0)
    for round in 1...Self.rounds {
      let bytes = Int(random.below(6000)) + 1
      let output = try await OSThread.run(name: "crash-round") { try Self.run(folder.path, killAfter: bytes) }
      let counts = try await verify(folder.path, Acknowledged(output))
      resumed += counts.resumed
      adopted += counts.adopted
      if counts.failures != 0 { Issue.record("round \(round), seed \(seed): \(counts.failures) failures") }
    }
    #expect(resumed > 0 && adopted > 0)
  }

  /// What the process said.
  private struct Acknowledged {
    struct Content {
      var bytes: [UInt8]
      var durable: UInt64 = 0
      var isAdopted = false
    }

    var uploads: [UploadID: Content] = [:]

    init(_ output: String) throws {
      for line in output.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        let id = try #require(UploadID(words[1]))
        let (seed, length) = (try #require(UInt64(words[2])), try #require(Int(words[3])))
        var content = uploads[id] ?? Content(bytes: SeededRandomSource(seed: seed).bytes(length))
        if words[0] == "blob" { content.isAdopted = true } else { content.durable = try #require(UInt64(words[4])) }
        uploads[id] = content
      }
    }
  }

  private static func run(_ path: String, killAfter bytes: Int) throws -> String {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "storage-bench")
    let process = try ChildProcess(program.path, ["blob-crash", "--path", path, "--callers", "8"])
    var output = process.readOutput(atLeast: bytes)
    process.kill()
    output += process.readOutput()
    process.wait()
    // A line that was cut was not acknowledged in full.
    let end = output.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return String(decoding: output.prefix(end), as: UTF8.self)
  }

  /// Opens everything as a server would after the crash. What was adopted must be there; what was not goes on from an
  /// offset that is not before the acknowledged one, and its end makes the whole content.
  private func verify(
    _ path: String, _ acknowledged: Acknowledged
  ) async throws -> (resumed: Int, adopted: Int, failures: Int) {
    let clock = SystemClock()
    let database = try await SQLiteDatabase.open(
      path: path + "/octet.db", migrations: BlobSchema.migrations, clock: clock)
    let store = try await FolderBlobStore.open(path: path + "/store")
    let library = BlobLibrary(store: store, database: database, clock: clock, random: SystemRandomSource())
    var (resumed, adopted, failures) = (0, 0, 0)
    for (id, content) in acknowledged.uploads {
      let blob = try #require(BlobID(bytes: Hash.sha256(content.bytes)))
      do {
        if !content.isAdopted {
          switch try await library.resume(id) {
          case .open(let upload):
            if upload.offset < content.durable { failures += 1 }
            resumed += 1
            try await upload.append(Array(content.bytes[Int(upload.offset)...]))
            let finished = try await upload.finish(expecting: BlobExpectation(id: blob))
            try await adopt(finished, library, database)
          case .finished(let finished):
            if finished.blob != blob { failures += 1 }
            try await adopt(finished, library, database)
          }
        }
      } catch let error as BlobError where error.code == .unknownUpload {
        // Adopted, but killed before it could say so.
      }
      if try await library.read(blob).bytes(limit: .max) != content.bytes { failures += 1 }
      adopted += 1
    }
    // What is known but was never heard of stays as it is; nothing is there that no row knows.
    _ = try await library.collect()
    if try await library.audit().deleted != 0 { failures += 1 }
    await store.close()
    await database.close()
    return (resumed, adopted, failures)
  }

  private func adopt(_ finished: FinishedUpload, _ library: BlobLibrary, _ database: SQLiteDatabase) async throws {
    try await database.write { writer in
      try library.references.adopt(finished, by: BlobOwner("crash", finished.upload.text), in: writer)
    }
  }
}
