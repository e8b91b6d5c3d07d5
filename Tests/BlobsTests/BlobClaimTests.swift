import Base
import Blobs
import Foundation
import Storage
import Testing

/// A database and a store belong together.
@Suite struct BlobClaimTests {
  private let owner = BlobOwner("test", "1")

  /// A library on the fixture's store with a database of its own, which is empty.
  private func withOther(
    _ engine: BlobEngine, _ store: any BlobStore, _ body: (BlobLibrary, any Database) async throws -> Void
  ) async throws {
    let clock = ManualClock()
    let database = try await engine.open(BlobSchema.migrations, clock)
    do {
      try await body(
        BlobLibrary(store: store, database: database, clock: clock, random: SystemRandomSource()), database)
    } catch {
      await database.close()
      throw error
    }
    await database.close()
  }

  @Test(arguments: BlobEngine.all)
  func `the first start marks the store, and later ones find the mark`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      #expect(try await fixture.store.mark() == nil)
      try await fixture.library.claimStore(isShared: true)
      let mark = try await fixture.store.mark()
      #expect(mark?.count == 16)
      for isShared in [true, false] { try await fixture.library.claimStore(isShared: isShared) }
      #expect(try await fixture.store.mark() == mark)
      // Killed before it could note that the store is marked.
      try await fixture.database.write { _ = try $0.execute("UPDATE octet_blob_store SET is_marked = 0") }
      try await fixture.library.claimStore(isShared: true)
      #expect(try await fixture.store.mark() == mark)
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a store with another database's contents is not touched`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      try await fixture.library.claimStore(isShared: false)
      let blob = try await fixture.keep([1], by: owner)
      try await withOther(engine, fixture.store) { other, _ in
        for isShared in [true, false] {
          #expect(await blobError { try await other.claimStore(isShared: isShared) } == .foreignStore)
        }
      }
      try await fixture.library.claimStore(isShared: false)
      #expect(try await fixture.bytes(blob) == [1])
    }
  }

  @Test(arguments: BlobEngine.all)
  func `an empty store may pass to another database`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      try await fixture.library.claimStore(isShared: false)
      try await withOther(engine, fixture.store) { other, _ in
        try await other.claimStore(isShared: true)
        // The first database has nothing to lose, unless others serve it, too.
        #expect(await blobError { try await fixture.library.claimStore(isShared: true) } == .foreignStore)
        try await fixture.library.claimStore(isShared: false)
        #expect(await blobError { try await other.claimStore(isShared: true) } == .foreignStore)
      }
    }
  }

  @Test(arguments: BlobEngine.all)
  func `a folder that is not the one with the contents is refused, unless somebody says that they are lost`(
    _ engine: BlobEngine
  ) async throws {
    try await BlobFixture.with(engine) { fixture in
      try await fixture.library.claimStore(isShared: false)
      let mark = try #require(try await fixture.store.mark())
      _ = try await fixture.keep([1], by: owner)
      let folder = TemporaryFolder()
      defer { folder.remove() }
      let empty = try await FolderBlobStore.open(path: folder.path)
      let library = BlobLibrary(
        store: empty, database: fixture.database, clock: fixture.clock, random: SystemRandomSource())
      #expect(await blobError { try await library.claimStore(isShared: false) } == .foreignStore)
      // By hand, as the message says.
      try (HexText.text(mark) + "\n").write(toFile: folder.path + "/mark", atomically: true, encoding: .utf8)
      try await library.claimStore(isShared: false)
      await empty.close()
    }
  }

  @Test func `a mark that is none is said to be so`() async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let store = try await FolderBlobStore.open(path: folder.path)
    try "nothing\n".write(toFile: folder.path + "/mark", atomically: true, encoding: .utf8)
    #expect(await blobError { try await store.mark() } == .ioFailure)
    await store.close()
  }
}
