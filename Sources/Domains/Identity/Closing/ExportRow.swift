import Base
import Blobs
import DomainKit
import IdentityAPI
import Storage
import Streaming
import WellKnownTypes

/// A row of `identity_exports`.
struct ExportRow: Sendable {
  let user: Identifier
  let id: Identifier
  let requestedAt: Instant
  /// The archive, its length, how many files are in it, and its end; nil until it is complete.
  let content: BlobID?
  let size: UInt64?
  let files: Int?
  let expiresAt: Instant?
  /// The archive as a file; nil until it is complete, and where nobody keeps files.
  let blob: Identifier?
  /// When it was given up; nil for one that was not.
  let failedAt: Instant?

  static let columns = "user_id, id, requested_at, content, size, files, expires_at, blob_id, failed_at"

  init(_ row: any Row) {
    user = row[0]
    id = row[1]
    requestedAt = row[2]
    content = row[3]
    size = row[4]
    files = row[5]
    expiresAt = row[6]
    blob = row[7]
    failedAt = row[8]
  }

  static func find(_ id: Identifier, of user: Identifier, in reader: any Reader) throws -> ExportRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_exports WHERE user_id = $1 AND id = $2", user, id, make: ExportRow.init)
  }

  static func newest(of user: Identifier, in reader: any Reader) throws -> ExportRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_exports WHERE user_id = $1 ORDER BY id DESC LIMIT 1", user, make: ExportRow.init)
  }

  static func find(_ id: Identifier, in reader: any Reader) throws -> ExportRow? {
    try reader.first("SELECT \(columns) FROM identity_exports WHERE id = $1", id, make: ExportRow.init)
  }

  var subject: SubjectID { SubjectID(IDKind.export, id) }

  /// Which part of an export its file is.
  static let slot = "archive"

  /// Who needs the archive.
  var owner: BlobOwner { BlobOwner("identity.export", id.text(kind: IDKind.export)) }

  /// What happens to an export: encoded `Export`s.
  static func topic(of id: Identifier) -> Topic { Topic(IDKind.export, id) }

  /// Whether it can still be fetched, or will be.
  func isKept(at now: Instant) -> Bool { expiresAt.map { now < $0 } ?? true }
}

extension Export {
  /// Whether nothing more happens to it.
  var isOver: Bool { state != .preparing }

  /// - Parameters:
  ///   - filesDone: of one that is being put together.
  ///   - filesTotal: the same.
  init(_ row: ExportRow, filesDone: Int = 0, filesTotal: Int = 0) {
    self.init()
    id = row.id.text(kind: IDKind.export)
    state = row.failedAt != nil ? .failed : row.content == nil ? .preparing : .ready
    requestTime = Timestamp(row.requestedAt)
    self.filesDone = Int32(row.files ?? filesDone)
    self.filesTotal = Int32(row.files ?? filesTotal)
    sha256 = row.content?.text ?? ""
    blobID = row.blob?.text(kind: IDKind.blob) ?? ""
    sizeBytes = Int64(row.size ?? 0)
    expireTime = row.expiresAt.map { Timestamp($0) }
  }
}

/// Exports as things that files are parts of: only those whose they are see them, for as long as they are kept.
struct ExportSubject: SubjectKind {
  let clock: any WallClock
  let prefix = IDKind.export

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    guard let row = try ExportRow.find(id, in: reader), row.isKept(at: clock.now()) else { return nil }
    return SubjectFacts(owner: row.user)
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller else { return false }
    return try ExportRow.find(id, of: caller.user, in: reader) != nil
  }
}
