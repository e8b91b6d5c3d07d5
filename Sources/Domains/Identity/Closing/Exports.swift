import Base
import Blobs
import DomainKit
import IdentityAPI
import ProtobufRuntime
import Storage
import Streaming

/// Puts together what is known of a person, as a job.
///
/// One read transaction writes the records of all domains to a file that has no name; contents cannot change under
/// their names, so they are read afterwards. A job that was cut short begins anew.
struct Exports: Sendable {
  private static let job = "identity.export"
  /// Bytes that go to the store at a time.
  private static let piece = 1 << 20

  let core: IdentityCore

  private var kit: Kit { core.kit }

  /// Before the timers are started.
  func handleJobs() {
    core.timers.work(Self.job, givenUp: { [self] in try fail($1, in: $0) }, { [self] in try await prepare($0) })
  }

  /// Begins an export.
  /// - Throws: `KitError.rateLimited` if the last one began too short a time ago, and has not failed.
  func start(of user: Identifier, in writer: any Writer) throws -> ExportRow {
    // Held, so that two that begin at once know of each other.
    guard try UserRow.findForUpdate(user, in: writer) != nil else { throw KitError.sessionEnded }
    let now = kit.clock.now()
    if let last = try ExportRow.newest(of: user, in: writer), last.failedAt == nil,
      now - last.requestedAt < core.limits.exportInterval
    {
      throw KitError.rateLimited(after: last.requestedAt + core.limits.exportInterval - now)
    }
    let id = kit.identifiers.next()
    try writer.execute(
      "INSERT INTO identity_exports (user_id, id, requested_at) VALUES ($1, $2, $3)", user, id, now)
    try core.timers.set(Self.job, key: Self.key(id, of: user), due: now, in: writer)
    guard let row = try ExportRow.find(id, of: user, in: writer) else {
      preconditionFailure("an export was written and is not there")
    }
    return row
  }

  /// Deletes what was exported of a user.
  func erase(of user: Identifier, in writer: any Writer) throws {
    let rows = try writer.rows(
      "SELECT \(ExportRow.columns) FROM identity_exports WHERE user_id = $1", user, make: ExportRow.init)
    for row in rows {
      try core.timers.cancel(Self.job, key: Self.key(row.id, of: user), in: writer)
      try delete(row, in: writer)
    }
  }

  fileprivate func delete(_ row: ExportRow, in writer: any Writer) throws {
    if let blob = row.blob { try core.files?.detach(blob, from: row.subject, as: ExportRow.slot, in: writer) }
    if let content = row.content { try kit.blobs.references.remove(content, by: row.owner, in: writer) }
    try writer.execute("DELETE FROM identity_exports WHERE user_id = $1 AND id = $2", row.user, row.id)
  }

  // MARK: The job

  private static func key(_ export: Identifier, of user: Identifier) -> String { "\(user.rawValue)/\(export.rawValue)" }

  private static func find(_ timer: DueTimer, in reader: any Reader) throws -> ExportRow? {
    let numbers = timer.key.split(separator: "/").compactMap { Int64($0) }
    guard numbers.count == 2 else { return nil }
    return try ExportRow.find(Identifier(rawValue: numbers[1]), of: Identifier(rawValue: numbers[0]), in: reader)
  }

  /// Tells who waits for an export that nobody prepares any more.
  private func fail(_ timer: DueTimer, in writer: any Writer) throws {
    // Of one that has failed already, and was tried once more, all is told.
    guard let row = try Self.find(timer, in: writer), row.content == nil, row.failedAt == nil else { return }
    let now = kit.clock.now()
    try writer.execute(
      "UPDATE identity_exports SET failed_at = $3, expires_at = $4 WHERE user_id = $1 AND id = $2", row.user, row.id,
      now, now + core.limits.exportKept)
    try publishEnd(of: row, in: writer)
  }

  /// Tells how an export has ended.
  private func publishEnd(of row: ExportRow, in writer: any Writer) throws {
    guard let ended = try ExportRow.find(row.id, of: row.user, in: writer) else { throw JobLost() }
    let topic = ExportRow.topic(of: row.id)
    try kit.hub.publish(topic, Export(ended).encoded(), in: writer)
    try kit.hub.end(topic, in: writer)
  }

  private func prepare(_ job: Job) async throws {
    // Whoever was told that it has failed has asked for another one, or not.
    guard let row = try await kit.database.read({ try Self.find(job.timer, in: $0) }), row.content == nil,
      row.failedAt == nil
    else { return }
    let user = row.user
    let file = try await OSThread.run(name: "export") { try DiskFile.temporary() }
    let files = try await kit.database.read { [kit] reader in
      try ExportFile.collect(of: user, kit.personalRecords.all, into: file, reader)
    }
    let upload = try await kit.blobs.begin()
    do {
      for (index, entry) in files.enumerated() {
        try await append(entry, from: file, to: upload, at: row.requestedAt)
        try await report(Export(row, filesDone: index + 1, filesTotal: files.count), job)
      }
      try await upload.append(TarArchive.end)
      try await complete(row, try await upload.finish(), files.count, job)
    } catch {
      await upload.close()
      // What cannot be cancelled now expires by itself.
      try? await kit.blobs.cancel(upload.id)
      throw error
    }
  }

  private func append(
    _ entry: ExportFile, from file: DiskFile, to upload: Upload, at time: Instant
  ) async throws {
    try await upload.append(TarArchive.header(entry.name, size: entry.size, at: time))
    switch entry.content {
    case .records(let start):
      var offset = start
      let end = start + entry.size
      while offset < end {
        let (from, count) = (offset, Int(min(UInt64(Self.piece), end - offset)))
        let bytes = try await OSThread.run(name: "export") { try file.read(at: from, count: count) }
        try await upload.append(bytes)
        offset += UInt64(count)
      }
    case .blob(let info):
      for try await bytes in try await kit.blobs.read(info) { try await upload.append(bytes) }
    }
    try await upload.append(TarArchive.padding(after: entry.size))
  }

  private func report(_ export: Export, _ job: Job) async throws {
    let id = try Identifier(export.id, kind: IDKind.export, field: "id")
    try await job.write { [kit] writer in
      _ = try kit.hub.publish(ExportRow.topic(of: id), export.encoded(), in: writer)
    }
  }

  private func complete(_ row: ExportRow, _ finished: FinishedUpload, _ count: Int, _ job: Job) async throws {
    try await job.finish { [kit, core] writer in
      let changed = try writer.execute(
        "UPDATE identity_exports SET content = $3, size = $4, files = $5, expires_at = $6 WHERE user_id = $1 AND id = $2",
        row.user, row.id, finished.blob, finished.size, count, kit.clock.now() + core.limits.exportKept)
      guard changed == 1 else { throw JobLost() }
      try kit.blobs.references.adopt(finished, by: row.owner, in: writer)
      if let files = core.files, let content = try kit.blobs.references.find(finished.blob, in: writer) {
        let file = try files.publish(content, kind: .file, for: row.user, in: row.subject, as: ExportRow.slot, writer)
        try writer.execute("UPDATE identity_exports SET blob_id = $2 WHERE id = $1", row.id, file.blob)
      }
      try publishEnd(of: row, in: writer)
    }
  }
}

/// Deletes archives whose time is over.
struct ExportRetention: Sweep {
  private static let batch = 16

  let core: IdentityCore
  let name = "exports"

  func step(_ database: any Database) async throws -> Bool {
    let now = core.kit.clock.now()
    // Most often there is nothing to do, which a reader can tell without the writer's time.
    let isDue = try await database.read { reader in
      try reader.exists("SELECT 1 FROM identity_exports WHERE expires_at <= $1 LIMIT 1", now)
    }
    guard isDue else { return false }
    return try await database.write { [core] writer in
      let rows = try writer.rows(
        """
        SELECT \(ExportRow.columns) FROM identity_exports WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        """ + writer.dialect.forUpdateSkippingLocked, now, Self.batch, make: ExportRow.init)
      for row in rows { try core.exports.delete(row, in: writer) }
      return rows.count == Self.batch
    }
  }
}
