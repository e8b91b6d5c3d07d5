import Base
import Cryptography
import DomainKit
import Storage

/// Sends codes, in somebody else's transaction.
struct CodeBook: Sendable {
  let clock: any WallClock
  let identifiers: IdentifierGenerator
  let maker: CodeMaker
  let letters: LetterPost

  /// Puts a new code into a slot, in place of the one that was there, and sends it with the transaction.
  /// - Parameters:
  ///   - contact: where it goes to, as a keyed hash.
  ///   - sealed: the address, if it is not one of the user's contacts.
  ///   - limits: how often codes may be sent; all are held by this transaction, so their order is that of all who send.
  /// - Returns: the row, which says until when it is good.
  /// - Throws: `KitError.rateLimited`.
  func send(
    _ slot: CodeSlot, to contact: (kind: ContactKind, lookup: [UInt8]), sealed: [UInt8]?, limits: [CodeLimit],
    in writer: any Writer
  ) throws -> CodeRow {
    let now = clock.now()
    for limit in limits {
      if let wait = try limit.take(now: now, in: writer) { throw KitError.rateLimited(after: wait) }
    }
    try writer.execute(
      """
      INSERT INTO identity_codes
        (slot, id, purpose, user_id, kind, lookup, sealed, wrong_tries, sent_at, expires_at, used_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, NULL)
      ON CONFLICT (slot) DO UPDATE SET id = excluded.id, kind = excluded.kind, lookup = excluded.lookup,
        sealed = excluded.sealed, wrong_tries = 0, sent_at = excluded.sent_at, expires_at = excluded.expires_at,
        used_at = NULL
      """, slot.key, identifiers.next(), slot.purpose.rawValue, slot.user, contact.kind.stored, contact.lookup, sealed,
      now, now + slot.purpose.lifetime)
    try letters.send(LetterID(CodeLetters.name, key: Base64.url.encode(slot.key)), by: contact.kind, in: writer)
    guard let row = try CodeRow.find(slot.key, in: writer) else {
      preconditionFailure("a code was written and is not there")
    }
    return row
  }
}

/// How often codes are sent: to one address, or by one user.
struct CodeLimit: Sendable {
  /// Between two codes to one address.
  static let pause = Duration.seconds(60)
  /// So many in an hour.
  static let perWindow = 5
  static let window = Duration.seconds(3600)

  /// What is counted together.
  let key: [UInt8]
  let hasPause: Bool

  /// Codes for one purpose to one contact, by its keyed hash.
  static func contact(_ purpose: CodePurpose, _ lookup: [UInt8]) -> CodeLimit {
    CodeLimit(key: [UInt8(purpose.rawValue)] + lookup, hasPause: true)
  }

  /// Codes for one purpose by one user, to contacts of one kind: nobody sends five an hour to each of many strangers.
  /// Whoever has mistyped an address need not wait to correct it.
  static func user(_ purpose: CodePurpose, _ user: Identifier, _ kind: ContactKind) -> CodeLimit {
    CodeLimit(
      key: [UInt8(purpose.rawValue)] + user.rawValue.bigEndianBytes + [UInt8(kind.stored)], hasPause: false)
  }

  /// Counts a code.
  /// - Returns: nil if it may be sent, else how long to wait.
  func take(now: Instant, in writer: any Writer) throws -> Duration? {
    // There must be a row to hold, or many first codes at once would all count as the first.
    try writer.execute(
      "INSERT INTO identity_code_sends (key, recent, last_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", key,
      [UInt8](), now)
    let stored: [UInt8]? = try writer.firstForUpdate("SELECT recent FROM identity_code_sends WHERE key = $1", key) {
      $0[0]
    }
    let times = stride(from: 0, to: stored?.count ?? 0, by: 8).map { start in
      Instant(nanoseconds: Int64(bigEndian: (stored ?? [])[start..<start + 8]))
    }
    let recent = times.filter { now - $0 < Self.window }
    if hasPause, let last = recent.last, now - last < Self.pause { return last + Self.pause - now }
    if recent.count >= Self.perWindow { return recent[recent.count - Self.perWindow] + Self.window - now }
    try writer.execute(
      "UPDATE identity_code_sends SET recent = $2, last_at = $3 WHERE key = $1", key,
      (recent + [now]).flatMap { $0.nanoseconds.bigEndianBytes }, now)
    return nil
  }

  /// Holds what is counted, until the transaction ends.
  func hold(in writer: any Writer) throws {
    // An erasure may have removed the row; there must be one to hold. One from the beginning of time is swept away.
    try writer.execute(
      "INSERT INTO identity_code_sends (key, recent, last_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", key,
      [UInt8](), Instant(nanoseconds: 0))
    _ = try writer.firstForUpdate("SELECT last_at FROM identity_code_sends WHERE key = $1", key) { $0[0] as Instant }
  }
}
