import Base
import Blobs
import Cryptography
import Testing

/// What every store must do.
@Suite struct StoreConformance {
  private static let content = SeededRandomSource(seed: 42).bytes(700_000)

  @Test(arguments: TestStore.all)
  func `a content is stored whole, and any range of it can be read`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let key = try await store.put(Self.content)
      #expect(key.blob.bytes == Hash.sha256(Self.content))
      #expect(try await store.size(key) == 700_000)
      #expect(try await store.bytes(key, 0..<700_000) == Self.content)
      let seed = UInt64.random(in: 0 ... .max)
      let random = SeededRandomSource(seed: seed)
      for _ in 0..<30 {
        let ends = [Int(random.below(700_001)), Int(random.below(700_001))].sorted()
        let bytes = try await store.bytes(key, UInt64(ends[0])..<UInt64(ends[1]))
        #expect(bytes == Array(Self.content[ends[0]..<ends[1]]), "\(ends), seed \(seed)")
      }
    }
  }

  @Test(arguments: TestStore.all)
  func `pieces are as small as the limit says`(_ kind: TestStore) async throws {
    var limits = BlobLimits()
    limits.chunkBytes = 1000
    try await kind.withStore(limits: limits) { store in
      let key = try await store.put(Array(Self.content.prefix(3500)))
      var sizes: [Int] = []
      for try await piece in try await store.read(key, range: 100..<3300) { sizes.append(piece.count) }
      #expect(sizes == [1000, 1000, 1000, 200])
    }
  }

  @Test(arguments: TestStore.all)
  func `a store has the mark that it was given last, and it is not one of its contents`(
    _ kind: TestStore
  ) async throws {
    try await kind.withStore { store in
      #expect(try await store.mark() == nil)
      for mark in [[UInt8](0..<16), [255]] {
        try await store.setMark(mark)
        #expect(try await store.mark() == mark)
      }
      #expect(try await store.entries().isEmpty)
    }
  }

  @Test(arguments: TestStore.all)
  func `an empty content is a blob`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let key = try await store.put([])
      #expect(try await store.size(key) == 0)
      #expect(try await store.bytes(key, 0..<0) == [])
      #expect(try await store.entries().count == 1)
    }
  }

  @Test(arguments: TestStore.all)
  func `a range beyond the end is refused`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let key = try await store.put([1, 2, 3])
      #expect(await blobError { try await store.bytes(key, 0..<4) } == .badRange)
      #expect(await blobError { try await store.bytes(key, (.max - 1)..<(.max)) } == .badRange)
    }
  }

  @Test(arguments: TestStore.all)
  func `an upload that is cut between any two chunks goes on where it was durable`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let chunks = stride(from: 0, to: 700_000, by: 70_000).map { Array(Self.content[$0..<($0 + 70_000)]) }
      for cut in 0...chunks.count {
        var upload = try await store.upload(.new())
        for chunk in chunks.prefix(cut) { try await upload.append(chunk) }
        let durable = try await upload.checkpoint()
        #expect(durable == upload.durableOffset && durable <= upload.offset)
        // A part of a chunk that is lost.
        if cut < chunks.count { try await upload.append(Array(chunks[cut].prefix(1234))) }
        await upload.close()
        upload = try await store.upload(upload.id)
        #expect(upload.offset == durable)
        try await upload.append(Array(Self.content[Int(durable)...]))
        let key = BlobKey(blob: try await upload.contentID(), upload: upload.id)
        #expect(key.blob.bytes == Hash.sha256(Self.content))
        try await upload.place(key)
        #expect(try await store.bytes(key, 0..<700_000) == Self.content)
      }
      #expect(try await store.entries().count == chunks.count + 1)
    }
  }

  @Test(arguments: TestStore.all)
  func `whoever takes an upload up again has it alone`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let first = try await store.upload(.new())
      try await first.append([1, 2, 3])
      _ = try await first.checkpoint()
      let second = try await store.upload(first.id)
      #expect(await blobError { try await first.append([4]) } == .superseded)
      #expect(await blobError { try await first.checkpoint() } == .superseded)
      try await second.append(Array([1, 2, 3, 4][Int(second.offset)...]))
      let blob = try await second.contentID()
      #expect(blob.bytes == Hash.sha256([1, 2, 3, 4]))
      #expect(await blobError { try await first.place(BlobKey(blob: blob, upload: first.id)) } == .superseded)
      try await second.place(BlobKey(blob: blob, upload: second.id))
    }
  }

  @Test(arguments: TestStore.all)
  func `a content does not get the name of another`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let upload = try await store.upload(.new())
      try await upload.append([1])
      let other = try #require(BlobID(bytes: Hash.sha256([2])))
      let key = BlobKey(blob: other, upload: upload.id)
      #expect(await blobError { try await upload.place(key) } == .mismatch)
      #expect(try await store.size(key) == nil)
    }
  }

  @Test(arguments: TestStore.all)
  func `what is discarded is not placed, and leaves nothing`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let upload = try await store.upload(.new())
      try await upload.append([1])
      _ = try await upload.checkpoint()
      let blob = try await upload.contentID()
      try await store.discard(upload.id)
      try await store.discard(upload.id)
      #expect(await blobError { try await upload.append([2]) } == .unknownUpload)
      #expect(await blobError { try await upload.place(BlobKey(blob: blob, upload: upload.id)) } == .unknownUpload)
      #expect(try await store.entries().isEmpty)
    }
  }

  @Test(arguments: TestStore.all)
  func `a deleted blob is gone, and nothing else`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let (one, two) = (try await store.put(Self.content), try await store.put(Self.content))
      #expect(one.blob == two.blob && one != two)
      try await store.delete(one)
      try await store.delete(one)
      #expect(try await store.size(one) == nil)
      #expect(await blobError { try await store.bytes(one, 0..<1) } == .unknownBlob)
      #expect(try await store.bytes(two, 0..<10) == Array(Self.content.prefix(10)))
    }
  }

  @Test(arguments: TestStore.all)
  func `more than a blob may have is refused, and the upload can go on`(_ kind: TestStore) async throws {
    var limits = BlobLimits()
    limits.blobBytes = 10
    try await kind.withStore(limits: limits) { store in
      let upload = try await store.upload(.new())
      try await upload.append([UInt8](repeating: 1, count: 8))
      #expect(await blobError { try await upload.append([2, 2, 2]) } == .tooLarge)
      #expect(upload.offset == 8)
      try await upload.append([3, 3])
      #expect(try await upload.contentID().bytes == Hash.sha256([UInt8](repeating: 1, count: 8) + [3, 3]))
    }
  }

  @Test(arguments: TestStore.all)
  func `many upload and read at once`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let keys = try await withThrowingTaskGroup(of: BlobKey.self) { group in
        for number in 0..<24 {
          group.addTask {
            let content = Array(Self.content.prefix(300_000 + number % 3))
            let key = try await store.put(content, chunk: 10_000 + number)
            #expect(try await store.bytes(key, 0..<UInt64(content.count)) == content)
            return key
          }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(Set(keys.map(\.blob)).count == 3)
      #expect(try await store.entries().count == 24)
    }
  }

  @Test(arguments: TestStore.all)
  func `a closed store refuses`(_ kind: TestStore) async throws {
    try await kind.withStore { store in
      let key = try await store.put([1])
      let upload = try await store.upload(.new())
      await store.close()
      #expect(await blobError { try await store.size(key) } == .closed)
      #expect(await blobError { try await upload.append([1]) } == .closed)
    }
  }
}
