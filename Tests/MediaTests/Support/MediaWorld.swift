import Base
import Blobs
import Cryptography
import DomainKit
import Foundation
import MediaAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Streaming

@testable import Media

/// A whole server of media in one process: a database, a folder of blobs, the RPC core, and a clock that the test moves.
final class MediaWorld: Sendable {
  let clock: ManualClock
  let database: any Database
  let people = TestPeople()
  let notes = Notes()
  let identifiers: IdentifierGenerator
  let kit: Kit
  let timers: Timers
  let media: MediaDomain
  private let folder: URL
  private let transport: InProcessTransport

  /// Runs a test with a world of its own.
  static func with(
    _ limits: MediaLimits = MediaLimits(), _ body: (MediaWorld) async throws -> Void
  ) async throws {
    let world = try await MediaWorld(limits)
    do {
      try await body(world)
    } catch {
      await world.close()
      throw error
    }
    await world.close()
  }

  private init(_ limits: MediaLimits) async throws {
    let clock = ManualClock(Instant(seconds: 1_767_225_600))
    self.clock = clock
    database = try await EngineUnderTest.openTemporary(
      migrations: TopicStore.migrations + BlobSchema.migrations + MediaDomain.migrations + [Notes.migration],
      clock: clock)
    let root = SecretKey.random()
    let edge = EdgeDatabase(database)
    identifiers = IdentifierGenerator(clock: clock)
    folder = FileManager.default.temporaryDirectory.appending(path: "octet-media-\(UUID().uuidString)")
    let store = try await FolderBlobStore.open(path: folder.appending(path: "blobs").path)
    kit = Kit(
      database: database, hub: TopicHub(database: edge, clock: clock, key: root), clock: clock,
      identifiers: identifiers, random: SeededRandomSource(seed: 1), keys: try ServerKeys(root: root),
      authority: people, log: Log(level: .error),
      blobs: BlobLibrary(store: store, database: edge, clock: clock, random: SystemRandomSource()),
      beatInterval: nil)
    timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 2))
    media = MediaDomain(
      kit: kit, timers: timers, workFolder: folder.appending(path: "work").path, limits: limits.patient)
    try await media.start()
    kit.subjects.register([notes])
    kit.subjects.observe(media.observer)
    var registry = ServiceRegistry()
    media.register(in: &registry)
    let access = AccessInterceptor(
      kit: kit,
      limits: RateLimits(
        standard: Rate(perSecond: 9999, burst: 9999), telemetry: Rate(perSecond: 9999, burst: 9999)))
    transport = InProcessTransport(acceptor: RPCServer(registry: registry, interceptors: [access], clock: clock))
  }

  func close() async {
    await kit.blobs.close()
    await database.close()
    try? FileManager.default.removeItem(at: folder)
  }

  /// The store of blobs as another process has it.
  func openStoreAgain() async throws -> FolderBlobStore {
    try await FolderBlobStore.open(path: folder.appending(path: "blobs").path)
  }

  /// An upload of a user's that is complete.
  func upload(_ content: [UInt8], _ kind: BlobKind, of user: Identifier) async throws -> Identifier {
    let sender = Sender(self, user)
    let upload = try await sender.create(content, kind)
    let stream = try await sender.open(upload.id)
    try await stream.send(content)
    _ = try await stream.completed()
    return try Identifier.parse(upload.id, kind: "upl")
  }

  /// The jobs of another process that does the same.
  func otherWorker() async throws -> Timers {
    let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 3))
    let domain = MediaDomain(
      kit: kit, timers: timers, workFolder: folder.appending(path: "other").path, limits: MediaLimits().patient)
    try await domain.start()
    return timers
  }

  /// Does all jobs that are due, and those that they set.
  func process() async throws {
    while try await timers.runDue() > 0 {}
  }

  /// What the programs of the jobs have left behind.
  func workFiles() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "work").path)
  }

  /// Takes the folder of the jobs' files away, as a full or broken disk would.
  func removeWorkFolder() throws { try FileManager.default.removeItem(at: folder.appending(path: "work")) }

  func user() -> Identifier { identifiers.next() }

  /// - Parameter user: nil for somebody without credentials.
  func client(_ user: Identifier?) -> MediaServiceClient {
    let (keys, clock) = (kit.keys, clock)
    let credentials = CallCredentials { _ in
      var metadata = Metadata()
      guard let user else { return metadata }
      let token = AccessToken(user: user, session: user, epoch: 0, expiresAt: clock.now() + AccessToken.lifetime)
      try metadata.add("authorization", "Bearer " + AccessToken.sign(token.unsignedText, keys: keys))
      return metadata
    }
    return MediaServiceClient(
      RPCChannel(transport: transport, authority: "in-process", interceptors: [credentials, Patience()], clock: clock))
  }

  /// What breaks an invariant, with its number.
  func broken() async throws -> [String] {
    try await media.checkInvariants().flatMap { check in check.violations.map { "\(check.number): \($0)" } }
  }

  /// What a thing was told of its files since it was there: slot and state.
  func news(of memo: SubjectID) async throws -> [String] {
    try await database.read { reader in
      try reader.rows("SELECT slot || ' ' || state FROM memo_news WHERE memo_id = $1 ORDER BY slot", memo.id) { $0[0] }
    }
  }

  /// How many contents are on their way into the store.
  func openUploads() async throws -> Int {
    try await database.read { try $0.first("SELECT COUNT(*) FROM octet_blob_uploads") { $0[0] } ?? 0 }
  }

  /// How many contents the store of blobs keeps.
  func contents() async throws -> Int {
    try await database.read { try $0.first("SELECT COUNT(*) FROM octet_blobs") { $0[0] } ?? 0 }
  }
}

extension MediaLimits {
  /// The same for tests that do not bound the time of programs themselves: those run beside hundreds of tests, and give
  /// way to them.
  var patient: MediaLimits {
    var limits = self
    if limits.processingTime == MediaLimits().processingTime { limits.processingTime = .seconds(3600) }
    return limits
  }
}
