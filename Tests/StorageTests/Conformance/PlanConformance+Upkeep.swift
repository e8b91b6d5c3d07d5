import Base
import Cryptography
import Foundation
import PostgreSQLServer
import Storage
import Testing

@testable import Blobs
@testable import Streaming

/// What nodes and sweeps do by themselves, every half of a second or every few.
extension PlanConformance {
  static let upkeepTables = [
    "octet_nodes", "octet_dead_timers", "octet_dead_outbox", "octet_blob_uploads", "octet_blobs",
    "octet_blob_references", "octet_blob_trash",
  ]

  static let expectedOfUpkeep: [(part: String, index: String?)] = [
    ("UPDATE octet_nodes SET expires_at = $3 WHERE node = $1 AND claim = $2", nil),
    ("FROM octet_dead_timers ORDER BY id LIMIT $1", "octet_dead_timers"),
    ("DELETE FROM octet_dead_timers WHERE id <= $1", nil),
    ("SELECT channel FROM octet_dead_outbox WHERE channel > $1 ORDER BY channel LIMIT 1", nil),
    ("FROM octet_dead_outbox WHERE channel = $1 ORDER BY id LIMIT $2", nil),
    ("DELETE FROM octet_dead_outbox WHERE channel = $1 AND id <= $2", nil),
    ("last_sequence, born FROM octet_topics WHERE topic IN ($1, ", nil),
    ("FROM octet_topics t WHERE topic > $1 ORDER BY topic LIMIT $2", nil),
    ("DELETE FROM octet_topic_events WHERE topic = $1 AND sequence <= $2", nil),
    ("SELECT 1 FROM octet_topics WHERE ended_at <= $1 LIMIT 1", "octet_topics_ended"),
    ("FROM octet_topics WHERE ended_at <= $1 AND born < $2 ORDER BY ended_at LIMIT 1", "octet_topics_ended"),
    ("DELETE FROM octet_topics WHERE topic = $1", nil),
    ("FROM octet_blob_uploads WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2", "octet_blob_uploads_expiry"),
    ("DELETE FROM octet_blob_uploads WHERE id = $1", nil),
    ("ORDER BY unreferenced_since LIMIT $2", "octet_blobs_unreferenced"),
    ("DELETE FROM octet_blobs WHERE id = $1", nil),
    ("SELECT 1 FROM octet_blobs WHERE upload = $1", "octet_blobs_upload"),
    ("SELECT 1 FROM octet_blob_references WHERE content = $1", nil),
    ("FROM octet_blob_trash WHERE upload > $1 ORDER BY upload LIMIT $2", nil),
    ("DELETE FROM octet_blob_trash WHERE upload = $1", nil),
  ]

  /// Things of each kind that are due.
  private static let due = 3

  func fillUpkeep(_ writer: any Writer) throws {
    let (now, old) = (clock.now(), clock.now() - DeadLetterRetention.standard)
    for number in 0..<Self.others {
      let isDue = number < Self.due
      // The ids of uploads: none is in two tables.
      let names = (0..<3 as Range<UInt8>).map {
        [UInt8](repeating: $0, count: 14) + [UInt8(number >> 8), UInt8(number & 255)]
      }
      let (name, content) = (names[0], names[0] + names[0])
      if number > 0 && number < 1000 {
        try writer.send(
          "INSERT INTO octet_nodes (node, claim, expires_at) VALUES ($1, $2, $3)", number, name, now + .seconds(3600))
      }
      try writer.send(
        """
        INSERT INTO octet_dead_timers (id, kind, key, scheduled_for, attempts, payload, error, died_at)
        VALUES ($1, 'busy', 'key', 0, 1, $2, '', $3)
        """, number, name, isDue ? old : now)
      try writer.send(
        """
        INSERT INTO octet_dead_outbox (channel, id, payload, created_at, attempts, error, died_at)
        VALUES ($1, $2, $3, 0, 1, '', $4)
        """, "channel \(number % 5)", number, name, isDue ? old : now)
      try writer.send(
        "INSERT INTO octet_blob_uploads (id, expires_at) VALUES ($1, $2)", name, isDue ? now : now + .seconds(3600))
      try writer.send(
        "INSERT INTO octet_blobs (id, upload, size, created_at, unreferenced_since) VALUES ($1, $2, 1, 0, $3)",
        content, names[1], isDue ? now - BlobPolicy().grace : nil as Instant?)
      if !isDue {
        try writer.send(
          "INSERT INTO octet_blob_references (content, kind, key) VALUES ($1, 'photo', 'key')", content)
      }
      try writer.send("INSERT INTO octet_blob_trash (upload) VALUES ($1)", names[2])
    }
    for number in 0..<Self.due {
      try writer.send("UPDATE octet_topics SET ended_at = $2 WHERE topic = $1", "chat/\(number)", now)
    }
  }

  func keepUp(_ database: NotingDatabase) async throws {
    let node = try await NodeRegistry.join(database, clock: clock, random: random)
    let isMine = try await node.renew()
    #expect(isMine)
    await node.leave()
    while try await DeadLetterRetention(clock: clock).step(database) {}
    try await lookForTopics(database)
    try await collect(database)
    try await sweepTopics(database)
  }

  private func lookForTopics(_ database: NotingDatabase) async throws {
    var limits = TopicLimits()
    // So few of these rows, as the usual number is of very many.
    limits.topicsPerQuery = 4
    let hub = TopicHub(
      database: database, clock: clock, key: SecretKey([UInt8](repeating: 1, count: 32)), isShared: true, limits: limits
    )
    let subscription = try await hub.subscribe(Topic("chat", "7"), after: 1)
    try await hub.catchUp()
    #expect(subscription.topic.name == "chat/7")
    hub.close()
  }

  private func collect(_ database: NotingDatabase) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "octet-plans-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = try await FolderBlobStore.open(path: folder.path)
    let library = BlobLibrary(store: store, database: database, clock: clock, random: random)
    _ = try await library.begin()
    let collected = try await library.collect()
    #expect((collected.uploads, collected.blobs) == (Self.due, Self.due))
    #expect(collected.deleted == Self.others + 2 * Self.due)
    // Something that is placed has a row, and that is looked for.
    let finished = try await library.put([1])
    let references = library.references
    try await database.write { try references.adopt(finished, by: BlobOwner("photo", "1"), in: $0) }
    _ = try await library.audit()
    await library.close()
  }

  private func sweepTopics(_ database: NotingDatabase) async throws {
    let sweep = TopicSweep(["chat": TopicRetention(count: 2900)], ended: .zero, clock: clock)
    while try await sweep.step(database) {}
    // Topics are removed in a later incarnation than their own, once it has settled.
    clock.advance(by: TopicSweep.settling)
    while try await sweep.step(database) {}
    let left: Int? = try await database.database.read { reader in
      try reader.first("SELECT count(*) FROM octet_topics WHERE ended_at IS NOT NULL") { $0[0] }
    }
    #expect(left == 0)
  }
}
