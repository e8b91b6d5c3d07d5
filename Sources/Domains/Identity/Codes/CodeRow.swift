import Base
import Storage

/// A row of `identity_codes`: the newest code of a slot.
struct CodeRow: Sendable {
  /// After so many wrong tries the right one is refused as well.
  static let wrongTriesLimit = 5

  let slot: [UInt8]
  let id: Identifier
  let purpose: CodePurpose
  /// Nil where it is whoever's the contact is.
  let user: Identifier?
  /// Of the contact that it was sent to: its kind and keyed hash.
  let kind: Int64
  let lookup: [UInt8]
  /// The address, sealed with the user's key, where it is not one of the user's contacts.
  let sealed: [UInt8]?
  let tries: Int
  let sentAt: Instant
  let expiresAt: Instant
  let usedAt: Instant?

  private static let columns = """
    slot, id, purpose, user_id, kind, lookup, sealed, wrong_tries, sent_at, expires_at, used_at
    """

  private init(_ row: any Row) {
    slot = row[0]
    id = row[1]
    guard let purpose = CodePurpose(rawValue: row[2]) else {
      preconditionFailure("identity_codes holds a strange purpose")
    }
    self.purpose = purpose
    user = row[3]
    kind = row[4]
    lookup = row[5]
    sealed = row[6]
    tries = row[7]
    sentAt = row[8]
    expiresAt = row[9]
    usedAt = row[10]
  }

  static func find(_ slot: [UInt8], in reader: any Reader) throws -> CodeRow? {
    try reader.first("SELECT \(columns) FROM identity_codes WHERE slot = $1", slot, make: CodeRow.init)
  }

  /// A code, held by this transaction.
  static func findForUpdate(_ slot: [UInt8], in writer: any Writer) throws -> CodeRow? {
    try writer.firstForUpdate("SELECT \(columns) FROM identity_codes WHERE slot = $1", slot, make: CodeRow.init)
  }

  /// Whether it was neither used nor is over.
  func isCurrent(at now: Instant) -> Bool { usedAt == nil && now < expiresAt }

  /// Whether it may be tried.
  var hasTriesLeft: Bool { tries < Self.wrongTriesLimit }
}
