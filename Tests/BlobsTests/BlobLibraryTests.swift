import Base
import Blobs
import Cryptography
import Storage
import Testing

@Suite struct BlobLibraryTests {
  private let owner = BlobOwner("test", "1")
  private let other = BlobOwner("test", "2")

  @Test(arguments: BlobEngine.all)
  func `a blob is visible when a transaction that refers to it has committed, and not before`(
    _ engine: BlobEngine
  ) async throws {
    struct Undone: Error {}
    try await BlobFixture.with(engine) { fixture in
      let finished = try await fixture.library.put([1, 2, 3])
      #expect(await blobError { try await fixture.bytes(finished.blob) } == .unknownBlob)
      await #expect(throws: Undone.self) {
        try await fixture.database.write { writer in
          try fixture.library.references.adopt(finished, by: owner, in: writer)
          throw Undone()
        }
      }
      #expect(await blobError { try await fixture.bytes(finished.blob) } == .unknownBlob)
      try await fixture.adopt(finished, by: owner)
      #expect(try await fixture.bytes(finished.blob) == [1, 2, 3])
      #expect(try await fixture.library.read(finished.blob, range: 1..<2).bytes(limit: 1) == [2])
      #expect(await blobError { try await fixture.library.read(finished.blob, range: 1..<4) } == .badRange)
      let info = try #require(try await fixture.library.find(finished.blob))
      #expect(info.size == 3 && info.createdAt == fixture.clock.now())
    }
  }

  @Test(arguments: BlobEngine.all)
  func `an upload is adopted once`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let finished = try await fixture.library.put([1])
      try await fixture.adopt(finished, by: owner)
      #expect(await blobError { try await fixture.adopt(finished, by: other) } == .unknownUpload)
      #expect(await blobError { try await fixture.library.resume(finished.upload) } == .unknownUpload)
      #expect(try await fixture.rows() == [0, 1, 1, 0])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `the same content is kept once, for all its owners`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let blob = try await fixture.keep([1], by: owner)
      #expect(try await fixture.keep([1], by: other) == blob)
      #expect(try await fixture.rows() == [0, 1, 2, 1])
      #expect(try await fixture.library.collect().deleted == 1)
      #expect(try await fixture.store.entries().count == 1)
      let owners = try await fixture.database.read { reader in
        try fixture.library.references.owners(of: blob, limit: 10, in: reader)
      }
      #expect(owners == [owner, other])
      try await fixture.release(blob, by: owner)
      #expect(try await fixture.bytes(blob) == [1])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a blob without owners is invisible at once and deleted after the grace`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let blob = try await fixture.keep([1], by: owner)
      let kept = try await fixture.keep([2], by: owner)
      let reader = try await fixture.library.read(blob)
      try await fixture.release(blob, by: owner)
      #expect(await blobError { try await fixture.bytes(blob) } == .unknownBlob)
      let again = try await fixture.database.write { writer in
        try fixture.library.references.remove(blob, by: owner, in: writer)
      }
      #expect(!again)
      fixture.clock.advance(by: .seconds(86_399))
      #expect(try await fixture.library.collect() == BlobLibrary.Collected())
      #expect(try await fixture.store.entries().count == 2)
      fixture.clock.advance(by: .seconds(1))
      var expected = BlobLibrary.Collected()
      (expected.blobs, expected.deleted) = (1, 1)
      #expect(try await fixture.library.collect() == expected)
      #expect(try await fixture.store.entries().count == 1)
      #expect(try await fixture.rows() == [0, 1, 1, 0])
      #expect(try await fixture.bytes(kept) == [2])
      #expect(reader.count == 1)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a content that comes again within the grace stays`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let blob = try await fixture.keep([1], by: owner)
      try await fixture.release(blob, by: owner)
      #expect(try await fixture.keep([1], by: other) == blob)
      fixture.clock.advance(by: .seconds(2 * 86_400))
      #expect(try await fixture.library.collect().blobs == 0)
      #expect(try await fixture.bytes(blob) == [1])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `an owner can be added to what is visible, and to nothing else`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let add = { (blob: BlobID) in
        try await fixture.database.write { writer in
          try fixture.library.references.add(blob, by: other, in: writer)
        }
      }
      let blob = try await fixture.keep([1], by: owner)
      try await add(blob)
      try await add(blob)
      try await fixture.release(blob, by: owner)
      #expect(try await fixture.bytes(blob) == [1])
      try await fixture.release(blob, by: other)
      #expect(await blobError { try await add(blob) } == .unknownBlob)
      let unknown = try #require(BlobID(bytes: Hash.sha256([9])))
      #expect(await blobError { try await add(unknown) } == .unknownBlob)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `an upload goes on where it was durable, and once finished it only waits to be adopted`(
    _ engine: BlobEngine
  ) async throws {
    try await BlobFixture.with(engine) { fixture in
      let upload = try await fixture.library.begin()
      try await upload.append([1, 2])
      #expect(try await upload.checkpoint() == 2)
      try await upload.append([3])
      await upload.close()
      guard case .open(let again) = try await fixture.library.resume(upload.id) else {
        Issue.record("it was not finished")
        return
      }
      #expect(again.offset == 2 && again.durableOffset == 2)
      try await again.append([4])
      let expected = BlobExpectation(id: BlobID(bytes: Hash.sha256([1, 2, 4])), size: 3)
      let finished = try await again.finish(expecting: expected)
      guard case .finished(let found) = try await fixture.library.resume(upload.id) else {
        Issue.record("it was finished")
        return
      }
      #expect(found == finished)
      try await fixture.adopt(found, by: owner)
      #expect(try await fixture.bytes(found.blob) == [1, 2, 4])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a content that is not what was announced leaves nothing`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      for expected in [BlobExpectation(id: BlobID(bytes: Hash.sha256([2]))), BlobExpectation(size: 2)] {
        let upload = try await fixture.library.begin()
        try await upload.append([1])
        #expect(await blobError { try await upload.finish(expecting: expected) } == .mismatch)
        #expect(await blobError { try await fixture.library.resume(upload.id) } == .unknownUpload)
      }
      #expect(try await fixture.library.collect().deleted == 2)
      #expect(try await fixture.store.entries().isEmpty)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `uploads that nobody adopts age out, finished or not`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let finished = try await fixture.library.put([1])
      let open = try await fixture.library.begin()
      try await open.append([2])
      _ = try await open.checkpoint()
      let late = try await fixture.library.begin()
      try await late.append([3])
      fixture.clock.advance(by: .seconds(4 * 86_400))
      // Taken up again, so it lives on.
      guard case .open = try await fixture.library.resume(open.id) else { preconditionFailure("it is not finished") }
      fixture.clock.advance(by: .seconds(4 * 86_400))
      var result = try await fixture.library.collect()
      #expect(result.uploads == 2 && result.deleted == 2)
      #expect(await blobError { try await fixture.adopt(finished, by: owner) } == .unknownUpload)
      #expect(await blobError { try await late.finish() } == .unknownUpload)
      #expect(try await fixture.store.entries() == [.upload(open.id)])
      fixture.clock.advance(by: .seconds(4 * 86_400))
      result = try await fixture.library.collect()
      #expect(result.uploads == 1 && result.deleted == 1)
      #expect(try await fixture.store.entries().isEmpty)
      #expect(try await fixture.rows() == [0, 0, 0, 0])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `the collector takes more than a batch`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let expiry = fixture.clock.now()
      try await fixture.database.write { writer in
        for number in 0..<700 {
          let id = UploadID(at: fixture.clock.now(), random: SeededRandomSource(seed: UInt64(number)))
          try writer.execute("INSERT INTO octet_blob_uploads (id, expires_at) VALUES ($1, $2)", id, expiry)
        }
      }
      let result = try await fixture.library.collect()
      #expect(result.uploads == 700 && result.deleted == 700 && result.failed == 0)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `the audit deletes what no row knows, and nothing else`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      let blob = try await fixture.keep([1], by: owner)
      let waiting = try await fixture.library.put([2])
      let open = try await fixture.library.begin()
      // Left by a node that was stopped for too long.
      _ = try await fixture.store.put([1])
      try await fixture.store.upload(.new()).append([4])
      #expect(try await fixture.library.audit().0.deleted == 2)
      #expect(try await fixture.store.entries().count == 3)
      try await open.append([5])
      _ = try await open.finish()
      try await fixture.adopt(waiting, by: owner)
      #expect(try await fixture.bytes(blob) == [1])
    }
  }
}
