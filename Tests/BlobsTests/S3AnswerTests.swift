import Base
import Blobs
import Testing

@testable import BlobsS3

/// What is not S3's own word that something is there, or is not, is taken for neither.
@Suite struct S3AnswerTests {
  private static let part = [UInt8](repeating: 3, count: 5 << 20)

  private func withServer(
    _ absence: ScriptedS3.Absence, _ body: (S3BlobStore) async throws -> Void
  ) async throws {
    try await ScriptedS3(absence: absence).run { options in
      var options = options
      options.attempts = 2
      try await withStore(options, body)
    }
  }

  @Test(arguments: [("", BlobError.Code.unavailable), ("NoSuchBucket", .refused)])
  func `a small content that S3 does not have is not placed`(code: String, expected: BlobError.Code) async throws {
    try await withServer(ScriptedS3.Absence(requests: "PUT object", code: code)) { store in
      #expect(await blobError { try await store.put([1, 2, 3]) } == expected)
      let entries = try await store.entries()
      #expect(entries.isEmpty)
    }
  }

  @Test(arguments: [
    ("", BlobError.Code.unavailable), ("NoSuchBucket", .refused), ("NoSuchUpload", .unknownUpload),
  ])
  func `a part that S3 does not have is not durable`(code: String, expected: BlobError.Code) async throws {
    try await withServer(ScriptedS3.Absence(requests: "PUT part", code: code)) { store in
      let upload = try await store.upload(.new())
      #expect(await blobError { try await upload.append(Self.part) } == expected)
      #expect(try await store.upload(upload.id).durableOffset == 0)
    }
  }

  /// The claim of a name, the record before the first part, and the one with that part.
  @Test(arguments: 0..<3) func `a part without its record is not durable`(record: Int) async throws {
    for code in ["", "NoSuchBucket"] {
      try await withServer(ScriptedS3.Absence(requests: "PUT record", after: record, code: code)) { store in
        let upload = try await store.upload(.new())
        let error = await blobError { try await upload.append(Self.part) }
        #expect(error == (code.isEmpty ? .unavailable : .refused))
        #expect(try await store.upload(upload.id).durableOffset == 0)
      }
    }
  }

  @Test(arguments: ["PUT object", "PUT record", "PUT part", "GET list", "GET object"])
  func `who has lost the way to S3 for a moment tries again`(requests: String) async throws {
    try await withServer(ScriptedS3.Absence(requests: requests, times: 1)) { store in
      let small = try await store.put([1, 2, 3])
      #expect(try await store.bytes(small, 0..<3) == [1, 2, 3])
      let upload = try await store.upload(.new())
      try await upload.append(Self.part)
      #expect(try await store.upload(upload.id).durableOffset == 5 << 20)
    }
  }

  @Test func `a blob whose server is not found is not gone`() async throws {
    for (requests, after) in [("GET object", 0), ("GET list", 1)] {
      try await withServer(ScriptedS3.Absence(requests: requests, after: after)) { store in
        let key = try await store.put([1, 2, 3])
        let range: Range<UInt64> = requests == "GET list" ? 0..<0 : 0..<3
        #expect(await blobError { try await store.bytes(key, range) } == .unavailable)
      }
    }
    try await withServer(ScriptedS3.Absence(requests: "GET object", code: "NoSuchKey")) { store in
      let key = try await store.put([1, 2, 3])
      #expect(await blobError { try await store.bytes(key, 0..<3) } == .unknownBlob)
      #expect(try await store.mark() == nil)
    }
    // Nor is a store without its mark one that never had any.
    try await withServer(ScriptedS3.Absence(requests: "GET object")) { store in
      #expect(await blobError { try await store.mark() } == .unavailable)
    }
    try await withServer(ScriptedS3.Absence(requests: "GET object", code: "NoSuchBucket")) { store in
      #expect(await blobError { try await store.mark() } == .refused)
    }
  }
}
