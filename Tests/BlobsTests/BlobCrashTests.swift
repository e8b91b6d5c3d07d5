import Base
import Blobs
import BlobsS3
import ChildProcess
import Cryptography
import Foundation
import PostgreSQLServer
import Storage
import StoragePostgreSQL
import StorageSQLite
import Testing

/// A process uploads as fast as it can and says over a pipe what has been acknowledged. It is killed with SIGKILL at a
/// random moment, again and again, on the same database and the same folder or bucket.
@Suite struct BlobCrashTests {
  private static let rounds = 8

  /// Where rows and contents are.
  enum Keeping: CaseIterable {
    case sqliteAndFolder, postgreSQLAndFolder, sqliteAndBucket, postgreSQLAndBucket

    var isPostgreSQL: Bool { self == .postgreSQLAndFolder || self == .postgreSQLAndBucket }
    var isBucket: Bool { self == .sqliteAndBucket || self == .postgreSQLAndBucket }
  }

  @Test(arguments: Keeping.allCases)
  func `kill -9 loses no acknowledged offset and no adopted blob`(keeping: Keeping) async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let place = try await Place(keeping, folder.path)
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    var (resumed, adopted) = (0, 0)
    for round in 1...Self.rounds {
      let bytes = Int(random.below(6000)) + 1
      let output = try await OSThread.run(name: "crash-round") { try Self.run(place, killAfter: bytes) }
      let counts = try await verify(place, Acknowledged(output))
      resumed += counts.resumed
      adopted += counts.adopted
      if !counts.failures.isEmpty { Issue.record("round \(round), seed \(seed): \(counts.failures)") }
    }
    #expect(resumed > 0 && adopted > 0)
  }

  /// The transaction that gave up two contents is durable, their files are there, and the next run removes them; or one
  /// file has gone, and its row is still to go.
  @Test(arguments: ["before", "after"])
  func `kill -9 between the commit and the end of a file leaves files too many, which are swept`(
    when: String
  ) async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    try await OSThread.run(name: "death") {
      let process = try ChildProcess(Self.program, ["blob-death", "--when", when, "--path", folder.path])
      _ = process.readOutput()
      process.wait()
    }
    let clock = SystemClock()
    let database = try await SQLiteDatabase.open(
      path: folder.path + "/octet.db", migrations: BlobSchema.migrations, clock: clock)
    let store = try await FolderBlobStore.open(path: folder.path + "/store")
    let library = BlobLibrary(store: store, database: database, clock: clock, random: SystemRandomSource())
    let rows = { (table: String) in
      try await database.read { try $0.first("SELECT count(*) FROM \(table)") { $0[0] as Int } }
    }
    #expect(try await rows("octet_blobs") == 0)
    #expect(try await rows("octet_blob_trash") == 2)
    #expect(try await store.entries().count == (when == "before" ? 2 : 1))
    #expect(try await library.collect().deleted == 2)
    #expect(try await store.entries().isEmpty)
    #expect(try await rows("octet_blob_trash") == 0)
    #expect(try await library.audit().0.deleted == 0)
    await store.close()
    await database.close()
  }

  private static let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appending(path: "storage-bench").path

  /// What both the process and the test open.
  private struct Place: Sendable {
    let database: String
    let folder: String
    var bucket: S3Options?

    init(_ keeping: Keeping, _ path: String) async throws {
      database = keeping.isPostgreSQL ? try await PostgreSQLServer.common().makeDatabase() : path + "/octet.db"
      folder = path + "/store"
      if keeping.isBucket { bucket = try await S3Server.common().options() }
      self.path = path
    }

    private let path: String

    /// The words that tell the process.
    var arguments: [String] {
      var words = ["--path", path, "--database", database]
      if let bucket {
        words += ["--s3-endpoint", bucket.endpoint, "--s3-bucket", bucket.bucket, "--s3-access-key", bucket.accessKey]
        words += ["--s3-prefix", bucket.prefix]
      }
      return words
    }

    func openDatabase(_ clock: any WallClock) async throws -> any Database {
      guard database.hasPrefix("postgres://") else {
        return try await SQLiteDatabase.open(path: database, migrations: BlobSchema.migrations, clock: clock)
      }
      return try await PostgreSQLDatabase.open(
        url: database, migrations: BlobSchema.migrations, clock: clock, options: .ofTests)
    }

    func openStore(_ clock: any WallClock) async throws -> any BlobStore {
      guard let bucket else { return try await FolderBlobStore.open(path: folder) }
      return try S3BlobStore(bucket, clock: clock, random: SystemRandomSource())
    }
  }

  /// What the process said.
  private struct Acknowledged {
    struct Content {
      var bytes: [UInt8]
      var durable: UInt64 = 0
      var isAdopted = false
      /// Its owner was taken away, or was about to be.
      var isLeft = false
    }

    var uploads: [UploadID: Content] = [:]

    init(_ output: String) throws {
      for line in output.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        let id = try #require(UploadID(words[1]))
        let (seed, length) = (try #require(UInt64(words[2])), try #require(Int(words[3])))
        var content = uploads[id] ?? Content(bytes: SeededRandomSource(seed: seed).bytes(length))
        switch words[0] {
        case "blob": content.isAdopted = true
        case "leave": content.isLeft = true
        default: content.durable = try #require(UInt64(words[4]))
        }
        uploads[id] = content
      }
    }
  }

  private static func run(_ place: Place, killAfter bytes: Int) throws -> String {
    // The secret goes by the environment; env becomes the program.
    let process = try ChildProcess(
      "env", ["OCTET_S3_SECRET_KEY=\(S3Server.secret)", program, "blob-crash", "--callers", "8"] + place.arguments)
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
    _ place: Place, _ acknowledged: Acknowledged
  ) async throws -> (resumed: Int, adopted: Int, failures: [String]) {
    let clock = SystemClock()
    let database = try await place.openDatabase(clock)
    let store = try await place.openStore(clock)
    let library = BlobLibrary(store: store, database: database, clock: clock, random: SystemRandomSource())
    var (resumed, adopted, failures) = (0, 0, [String]())
    for (id, content) in acknowledged.uploads where !content.isLeft {
      let blob = try #require(BlobID(bytes: Hash.sha256(content.bytes)))
      do {
        if !content.isAdopted {
          switch try await library.resume(id) {
          case .open(let upload):
            if upload.offset < content.durable {
              failures.append("lost \(content.durable - upload.offset) of \(id.text)")
            }
            resumed += 1
            try await upload.append(Array(content.bytes[Int(upload.offset)...]))
            let finished = try await upload.finish(expecting: BlobExpectation(id: blob))
            try await adopt(finished, library, database)
          case .finished(let finished):
            if finished.blob != blob { failures.append("another content of \(id.text)") }
            try await adopt(finished, library, database)
          }
        }
      } catch let error as BlobError where error.code == .unknownUpload {
        // Adopted, but killed before it could say so.
      }
      if try await library.read(blob).bytes(limit: .max) != content.bytes {
        failures.append("other bytes of \(id.text)")
      }
      adopted += 1
    }
    // What the killed process was about to delete goes; nothing is there that no row knows, or missing that one does.
    if try await library.collect().failed != 0 { failures.append("not collected") }
    let referred: [BlobID] = try await database.read { reader in
      try reader.rows("SELECT DISTINCT content FROM octet_blob_references") { $0[0] }
    }
    for blob in referred where try await library.read(blob).bytes(limit: .max).isEmpty {
      failures.append("no \(blob.text)")
    }
    let unknown = try await library.audit().0.deleted
    // A bucket may carry out what the process had asked for when it was dead and its upload was collected already.
    if unknown != 0, place.bucket == nil { failures.append("\(unknown) that no row knows") }
    await store.close()
    await database.close()
    return (resumed, adopted, failures)
  }

  private func adopt(_ finished: FinishedUpload, _ library: BlobLibrary, _ database: any Database) async throws {
    try await database.write { writer in
      try library.references.adopt(finished, by: BlobOwner("crash", finished.upload.text), in: writer)
    }
  }
}
