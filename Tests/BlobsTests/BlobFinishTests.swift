import Base
import Blobs
import PostgreSQLServer
import Storage
import StorageSQLite
import Testing

@testable import BlobsS3

/// Uploads that more than one writer finishes.
@Suite struct BlobFinishTests {
  private let owner = BlobOwner("test", "1")

  private func resume(_ id: UploadID, _ library: BlobLibrary) async throws -> Upload {
    guard case .open(let upload) = try await library.resume(id) else {
      throw BlobError(.mismatch, operation: "resume", message: "it is finished")
    }
    return upload
  }

  @Test(arguments: BlobEngine.all)
  func `what was finished and did not get its place is finished with the same content, and with no other`(
    _ engine: BlobEngine
  ) async throws {
    try await BlobFixture.with(engine) { fixture in
      // As if the node had died between its two steps.
      let unplaced = { (content: [UInt8]) in
        let finished = try await fixture.library.put(content)
        try await fixture.store.delete(BlobKey(blob: finished.blob, upload: finished.upload))
        return finished
      }
      let kept = try await unplaced([1, 2, 3])
      let same = try await resume(kept.upload, fixture.library)
      try await same.append([1, 2, 3])
      #expect(try await same.finish() == kept)
      try await fixture.adopt(kept, by: owner)
      #expect(try await fixture.bytes(kept.blob) == [1, 2, 3])

      let lost = try await unplaced([4])
      let other = try await resume(lost.upload, fixture.library)
      try await other.append([5])
      let isNoted = Locked(false)
      let error = await blobError {
        try await other.finish(refused: { $0.afterCommit { isNoted.withLock { $0 = true } } })
      }
      #expect(error == .mismatch && isNoted.withLock { $0 })
      #expect(await blobError { try await fixture.library.resume(lost.upload) } == .unknownUpload)
      #expect(try await fixture.library.collect().deleted == 1)
      #expect(try await fixture.store.entries() == [.placed(kept.upload, blob: kept.blob, size: 3)])
      #expect(try await fixture.rows() == [0, 1, 1, 0])
    }
  }

  @Test(arguments: BlobEngine.all.filter { !$0.testDescription.hasSuffix("twice") })
  func `whoever finishes with another content waits for an adoption under way`(_ engine: BlobEngine) async throws {
    try await BlobFixture.with(engine) { fixture in
      // As if the node had died between its two steps, and what it had sent had got its place after all.
      let taken = try await fixture.library.put([1])
      try await fixture.store.delete(BlobKey(blob: taken.blob, upload: taken.upload))
      let other = try await resume(taken.upload, fixture.library)
      try await other.append([2])
      let (isIn, isOver) = (ParkingSpot(), Locked(false))
      async let adoption: Void = fixture.database.write { writer in
        try fixture.library.references.adopt(taken, by: owner, in: writer)
        isIn.unpark()
        try writer.waitUntilWaitedFor { isOver.withLock { $0 } }
      }
      try await isIn.park()
      let error = await blobError { try await other.finish() }
      isOver.withLock { $0 = true }
      try await adoption
      #expect(error == .unknownUpload)
    }
  }

  /// What a writer places late, and what the other one has who finishes meanwhile.
  enum Contents: CaseIterable {
    case twoSmall, smallBehindLarge, largeBehindSmall, sameSmall, sameLarge

    private static let large = SeededRandomSource(seed: 4).bytes(5 << 20 + 1)

    var late: [UInt8] {
      switch self {
      case .twoSmall, .smallBehindLarge, .sameSmall: [1, 2, 3]
      case .largeBehindSmall, .sameLarge: Self.large
      }
    }

    var other: [UInt8] {
      switch self {
      case .twoSmall, .largeBehindSmall: [4, 5, 6]
      case .smallBehindLarge: Self.large
      case .sameSmall, .sameLarge: late
      }
    }

    /// The request that gives the late one its place.
    var place: String { late.count > 3 ? "POST end" : "PUT object" }
  }

  @Test(arguments: Contents.allCases)
  func `on S3, what is placed late is not found under the hash of another content`(_ contents: Contents) async throws {
    let clock = ManualClock()
    let database = try await SQLiteDatabase.openTemporary(migrations: BlobSchema.migrations, clock: clock)
    try await ScriptedS3(held: contents.place).run { options in
      var options = options
      // However long the test takes until it lets it go.
      (options.attemptTimeout, options.stallTimeout) = (.seconds(600), .seconds(600))
      try await withStore(options) { store in
        try await withStore(options) { otherStore in
          let (library, otherLibrary) = (node(store, database, clock), node(otherStore, database, clock))
          let late = try await library.begin()
          // One with less than a part only comes to be behind one with parts if it began before there was any.
          let early = try await contents == .largeBehindSmall ? resume(late.id, otherLibrary) : nil
          try await late.append(contents.late)
          let placed = Task { try await late.finish() }
          try await ScriptedS3.waitForHeld(otherStore)
          let other = if let early { early } else { try await resume(late.id, otherLibrary) }
          try await other.append(Array(contents.other.dropFirst(Int(other.offset))))
          if contents.late == contents.other {
            try await adopt(other.finish(), otherLibrary, database)
          } else {
            let error = await blobError { try await adopt(other.finish(), otherLibrary, database) }
            #expect(error == .mismatch)
          }
          try await ScriptedS3.letGo(otherStore)
          let finished = try await placed.value
          #expect(await blobError { try await adopt(finished, library, database) } == .unknownUpload)
          if contents.late == contents.other {
            #expect(try await otherLibrary.read(finished.blob).bytes(limit: .max) == contents.late)
          } else {
            #expect(try await library.collect().failed == 0)
            let entries = try await store.entries()
            #expect(entries.isEmpty)
          }
        }
      }
    }
    await database.close()
  }

  private func node(_ store: S3BlobStore, _ database: any Database, _ clock: ManualClock) -> BlobLibrary {
    BlobLibrary(store: store, database: database, clock: clock, random: SystemRandomSource())
  }

  private func adopt(_ finished: FinishedUpload, _ library: BlobLibrary, _ database: any Database) async throws {
    try await database.write { [owner] in try library.references.adopt(finished, by: owner, in: $0) }
  }
}
