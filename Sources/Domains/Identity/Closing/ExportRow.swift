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

  static let columns = "user_id, id, requested_at, content, size, files, expires_at"

  init(_ row: any Row) {
    user = row[0]
    id = row[1]
    requestedAt = row[2]
    content = row[3]
    size = row[4]
    files = row[5]
    expiresAt = row[6]
  }

  static func find(_ id: Identifier, of user: Identifier, in reader: any Reader) throws -> ExportRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_exports WHERE user_id = $1 AND id = $2", user, id, make: ExportRow.init)
  }

  static func newest(of user: Identifier, in reader: any Reader) throws -> ExportRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_exports WHERE user_id = $1 ORDER BY id DESC LIMIT 1", user, make: ExportRow.init)
  }

  /// Who needs the archive.
  var owner: BlobOwner { BlobOwner("identity.export", id.text(kind: IDKind.export)) }

  /// What happens to an export: encoded `Export`s.
  static func topic(of id: Identifier) -> Topic { Topic(IDKind.export, id) }

  /// Whether it can still be fetched, or will be.
  func isKept(at now: Instant) -> Bool { expiresAt.map { now < $0 } ?? true }
}

extension Export {
  /// - Parameters:
  ///   - filesDone: of one that is being put together.
  ///   - filesTotal: the same.
  init(_ row: ExportRow, filesDone: Int = 0, filesTotal: Int = 0) {
    self.init()
    id = row.id.text(kind: IDKind.export)
    state = row.content == nil ? .preparing : .ready
    requestTime = Timestamp(row.requestedAt)
    self.filesDone = Int32(row.files ?? filesDone)
    self.filesTotal = Int32(row.files ?? filesTotal)
    blob = row.content?.text ?? ""
    sizeBytes = Int64(row.size ?? 0)
    expireTime = row.expiresAt.map { Timestamp($0) }
  }
}
