import Base
import DomainKit
import NotifyAPI
import Storage
import WellKnownTypes

extension NotifyCore {
  /// Puts a letter to somebody without an account on its way, once for each key.
  /// - Returns: the user who has proved the address, and to whom nothing was written.
  /// - Throws: `KitError.dayLimitExceeded`.
  func writeOutside(
    to address: ContactAddress, _ outside: OutsideNotice, in writer: any Writer
  ) throws -> Identifier? {
    let notice = outside.notice
    let lookup = outsideKeys.lookup(address, outside.sort)
    // Counted whoever has the address, and repeats as well, so that the count tells nothing of that.
    if outside.sort == .invitation, let sender = outside.sender {
      try Self.invitations.take(sender, limit: limits.invitationsPerDay, at: now, in: writer)
    }
    let isKnown = try writer.exists(
      "SELECT 1 FROM notify_outside WHERE lookup = $1 AND dedup_key = $2", lookup, notice.key)
    if isKnown { return nil }
    if let owner = try contacts.owner(of: address, in: writer) { return owner }
    guard try countOutside(lookup, in: writer) else { return nil }
    let words = try stored(
      words(of: notice.kind, in: outside.language, writer), with: notice.values, in: writer)
    let key = OutsideKey(lookup: lookup, id: kit.identifiers.next())
    let way = Way(address.kind)
    let isNew = try writer.execute(
      """
      INSERT INTO notify_outside (lookup, id, kind, dedup_key, object, way, sealed, title, text, sender_id, state, tries,
        created_at, settled_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, NULL)
      ON CONFLICT (lookup, dedup_key) DO NOTHING
      """, lookup, key.id, notice.kind.name, notice.key, notice.object?.text ?? "", way.rawValue,
      outsideKeys.seal(address, lookup: lookup), words.title, words.text, outside.sender, DeliveryState.queued.rawValue,
      now)
    if isNew == 1 { try timers.set(way.outsideJob, key: key.text, due: now, in: writer) }
    return nil
  }

  private static let invitations = DayQuota("notify_senders", by: ["user_id"], count: "sent")
  private static let letters = DayQuota(
    "notify_addresses", by: ["lookup"], day: "mail_day", count: "mail_count",
    onlyIf: "notify_addresses.stopped_at IS NULL")

  /// Counts a letter to an address.
  /// - Returns: whether it may go: letters of its sort were not stopped, and there were not too many today.
  private func countOutside(_ lookup: [UInt8], in writer: any Writer) throws -> Bool {
    try Self.letters.takeIfLeft([lookup], limit: limits.outsideLettersPerDay, at: now, in: writer)
  }

  /// Sends no more letters of a sort to an address. A repeat changes nothing.
  func stopOutside(_ lookup: [UInt8], in writer: any Writer) throws {
    try writer.execute(
      """
      INSERT INTO notify_addresses (lookup, stopped_at, mail_day, mail_count) VALUES ($1, $2, $3, 0)
      ON CONFLICT (lookup) DO UPDATE SET stopped_at = excluded.stopped_at
        WHERE notify_addresses.stopped_at IS NULL
      """, lookup, now, now.dayNumber)
  }

  func hasStopped(_ lookup: [UInt8], in reader: any Reader) throws -> Bool {
    try reader.exists("SELECT 1 FROM notify_addresses WHERE lookup = $1 AND stopped_at IS NOT NULL", lookup)
  }

  /// Forgets what a user has written to people without an account.
  /// - Returns: whether there is more.
  func eraseOutside(of user: Identifier, limit: Int, in writer: any Writer) throws -> Bool {
    let rows: [(key: OutsideKey, way: Int64)] = try writer.rows(
      "SELECT lookup, id, way FROM notify_outside WHERE sender_id = $1 ORDER BY lookup, id LIMIT $2", user, limit
    ) { (OutsideKey(lookup: $0[0], id: $0[1]), $0[2]) }
    for (key, way) in rows {
      if let way = Way(rawValue: way) { try timers.cancel(way.outsideJob, key: key.text, in: writer) }
      try writer.execute("DELETE FROM notify_outside WHERE lookup = $1 AND id = $2", key.lookup, key.id)
    }
    if rows.isEmpty { try writer.execute("DELETE FROM notify_senders WHERE user_id = $1", user) }
    return !rows.isEmpty
  }

  /// What a user has written to people without an account, oldest first.
  func outsideLetters(of user: Identifier, in reader: any Reader) throws -> [ExportedLetter] {
    try reader.rows(
      "SELECT kind, object, way, state, created_at, settled_at FROM notify_outside WHERE sender_id = $1 ORDER BY id",
      user
    ) { row in
      var letter = ExportedLetter()
      (letter.kind, letter.objectID) = (row[0], row[1])
      letter.channel = Way(rawValue: row[2]).map { Channel($0) } ?? .unspecified
      letter.state = DeliveryState(rawValue: row[3])
      letter.createTime = Timestamp(row[4] as Instant)
      letter.settleTime = (row[5] as Instant?).map { Timestamp($0) }
      return letter
    }
  }

  /// Says how such letters are sent. Before the timers are started.
  func handleOutside() {
    var policy = RetryPolicy()
    // Tries are counted in the row. A worker that dies has not tried.
    policy.attempts = .max
    for way in [Way.mail, .sms] {
      guard let outbound = outbound[way] else { preconditionFailure("there is no outbound for \(way.name)") }
      let courier = OutsideCourier(core: self, way: way, outbound: outbound)
      timers.work(way.outsideJob, policy: policy, atOnce: limits.lettersAtOnce) { try await courier.run($0) }
    }
  }
}

extension Way {
  init(_ kind: ContactKind) {
    self =
      switch kind {
      case .email: .mail
      case .phone: .sms
      }
  }

  /// The kind of the jobs that send to people without an account.
  var outsideJob: String { "notify.outside." + name }
}
