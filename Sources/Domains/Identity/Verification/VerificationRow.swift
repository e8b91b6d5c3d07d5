import Base
import DomainKit
import IdentityAPI
import Storage
import WellKnownTypes

/// A row of `identity_verifications`, with its documents.
struct VerificationRow: Sendable {
  let user: Identifier
  let id: Identifier
  let state: VerificationState
  let reason: String
  let submittedAt: Instant
  let reviewedAt: Instant?

  /// Of how many one statement asks for the documents.
  private static let atOnce = 64
  private static let columns = "user_id, id, state, reason, submitted_at, reviewed_at"

  init(_ row: any Row) {
    user = row[0]
    id = row[1]
    state = VerificationState(rawValue: row[2])
    reason = row[3]
    submittedAt = row[4]
    reviewedAt = row[5]
  }

  var subject: SubjectID { SubjectID(IDKind.verification, id) }

  static func find(_ id: Identifier, in reader: any Reader) throws -> VerificationRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_verifications WHERE id = $1", id, make: VerificationRow.init)
  }

  /// All of a user's, newest first.
  static func all(of user: Identifier, in reader: any Reader) throws -> [VerificationRow] {
    try reader.rows(
      "SELECT \(columns) FROM identity_verifications WHERE user_id = $1 ORDER BY id DESC", user,
      make: VerificationRow.init)
  }

  static func newest(of user: Identifier, in reader: any Reader) throws -> VerificationRow? {
    try reader.first(
      "SELECT \(columns) FROM identity_verifications WHERE user_id = $1 ORDER BY id DESC LIMIT 1", user,
      make: VerificationRow.init)
  }

  /// Everybody's in one state, or in all, oldest first.
  static func list(
    _ state: VerificationState?, after: Identifier, limit: Int, in reader: any Reader
  ) throws -> [VerificationRow] {
    try reader.rows(
      """
      SELECT \(columns) FROM identity_verifications
      WHERE \(state == nil ? "" : "state = $3 AND ")id > $1 ORDER BY id LIMIT $2
      """, [after.sqlValue, limit.sqlValue] + (state.map { [$0.rawValue.sqlValue] } ?? []), make: VerificationRow.init)
  }

  struct Document: Sendable {
    let number: Int
    let kind: VerificationDocumentKind
    let blob: Identifier

    /// Which part of the verification the file is.
    var slot: String { "document\(number)" }

    static let columns = "d.number, d.kind, d.blob_id"

    init(_ row: any Row) {
      number = row[0]
      kind = VerificationDocumentKind(rawValue: row[1])
      blob = row[2]
    }
  }

  func documents(in reader: any Reader) throws -> [Document] {
    try reader.rows(
      """
      SELECT \(Document.columns) FROM identity_verification_documents d
      WHERE d.user_id = $1 AND d.verification_id = $2 ORDER BY d.number
      """, user, id, make: Document.init)
  }

  /// The documents of each of some.
  private static func documents(
    of rows: [VerificationRow], in reader: any Reader
  ) throws -> [Identifier: [Document]] {
    var found: [Identifier: [Document]] = [:]
    for some in rows.map(\.id.sqlValue).filledPieces(of: atOnce) {
      try reader.query(
        """
        SELECT \(Document.columns), v.id
        FROM identity_verifications v
        JOIN identity_verification_documents d ON d.user_id = v.user_id AND d.verification_id = v.id
        WHERE v.id IN \(placeholders(from: 1, count: atOnce)) ORDER BY v.id, d.number
        """, some
      ) { row in
        let id: Identifier = row[3]
        found[id, default: []].append(Document(row))
      }
    }
    return found
  }

  static func messages(of rows: [VerificationRow], in reader: any Reader) throws -> [Verification] {
    let documents = try documents(of: rows, in: reader)
    return rows.map { $0.message(documents[$0.id] ?? []) }
  }

  func message(in reader: any Reader) throws -> Verification { try message(documents(in: reader)) }

  private func message(_ documents: [Document]) -> Verification {
    var message = Verification()
    message.id = id.text(kind: IDKind.verification)
    message.userID = user.text(kind: IDKind.user)
    message.state = state
    message.documents = documents.map { document in
      var part = VerificationDocument()
      part.kind = document.kind
      part.blobID = document.blob.text(kind: IDKind.blob)
      return part
    }
    message.submitTime = Timestamp(submittedAt)
    message.reviewTime = reviewedAt.map { Timestamp($0) }
    message.reason = reason
    return message
  }
}

/// Verifications as things that files are parts of: those who handed them in see them, and staff that decides.
struct VerificationSubject: SubjectKind {
  let prefix = IDKind.verification

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try VerificationRow.find(id, in: reader).map { SubjectFacts(owner: $0.user) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller, let row = try VerificationRow.find(id, in: reader) else { return false }
    return row.user == caller.user || caller.roles.holds(VerificationHandlers.reviewer)
  }
}
