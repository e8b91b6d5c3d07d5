import Base
import DomainKit
import NotifyAPI
import Storage

extension NotifyCore {
  /// Puts a notice on a way: at once, at the end of quiet hours, or not at all.
  func queue(
    _ entry: InboxEntry, by way: Way, _ importance: NoticeImportance, _ inbox: Inbox, in writer: any Writer
  ) throws {
    let isUrgent = importance != .normal
    if way == .mail, try !countMail(inbox, isUrgent: isUrgent, in: writer) {
      return try insert(entry, by: way, .skipped, DeliveryRow.Reason.mailLimit, due: now, in: writer)
    }
    if !isUrgent, way.isLoud, let end = try quietEnd(inbox, in: writer) {
      try insert(entry, by: way, .deferred, DeliveryRow.Reason.quietHours, due: end, in: writer)
    } else {
      try insert(entry, by: way, .queued, "", due: now, in: writer)
    }
  }

  /// When the quiet hours that hold now end, by the user's clock; nil if it is not quiet.
  func quietEnd(_ inbox: Inbox, in reader: any Reader) throws -> Instant? {
    guard let quiet = inbox.quietHours else { return nil }
    // The name was checked when it was chosen; should the zone's file be gone, UTC stands in.
    let zone = try kit.timeZones.table(people.preferences(of: inbox.user, in: reader).timeZone) ?? .utc
    return quiet.end(after: now, in: zone)
  }

  /// Counts a mail of today. Not by a `DayQuota`: urgent ones count too and are never refused, and the row, which
  /// `takeInbox` holds, is known already.
  /// - Returns: whether it may go.
  private func countMail(_ inbox: Inbox, isUrgent: Bool, in writer: any Writer) throws -> Bool {
    let today = now.dayNumber
    let count = inbox.mailDay == today ? inbox.mailCount : 0
    guard isUrgent || count < limits.mailsPerDay else { return false }
    try writer.execute(
      "UPDATE notify_users SET mail_day = $2, mail_count = $3 WHERE user_id = $1", inbox.user, today, count + 1)
    return true
  }

  private func insert(
    _ entry: InboxEntry, by way: Way, _ state: DeliveryState, _ reason: String, due: Instant, in writer: any Writer
  ) throws {
    let isSettled = state == .skipped
    try writer.execute(
      """
      INSERT INTO notify_deliveries (\(DeliveryRow.columns)) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, NULL, NULL)
      """, entry.user, entry.number, way.rawValue, entry.id, state.rawValue, reason, due, now, isSettled ? now : nil)
    if isSettled { return }
    let key = DeliveryKey(user: entry.user, number: entry.number, way: way)
    try timers.set(way.job, key: key.text, due: due, in: writer)
  }
}
