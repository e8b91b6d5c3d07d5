import Base
import DomainKit
import Storage

/// Looks whether what must always hold of queues does hold, for those whose records are kept whole.
struct QueueAudit {
  let queue: AdmissionQueue
  let reader: any Reader

  private static let kept = "(q.closed_at IS NULL OR q.closed_at > $1)"

  func reports() throws -> [InvariantCheck] {
    let oldest = queue.kit.clock.now() - queue.limits.retention
    let (queues, entries) =
      try reader.first(
        """
        SELECT COUNT(DISTINCT q.id), COUNT(e.id) FROM queue_events q LEFT JOIN queue_entries e ON e.event_id = q.id
        WHERE \(Self.kept)
        """, oldest
      ) { ($0[0] as Int, $0[1] as Int) } ?? (0, 0)
    return [
      InvariantCheck(
        number: 8,
        statement: "places and admissions of a queue have dense numbers, and its counts are those of its rows",
        rowsChecked: queues, violations: try miscounted(oldest)),
      InvariantCheck(
        number: 8, statement: "whoever was admitted to a queue has a number and a ticket, and nobody else",
        rowsChecked: entries, violations: try halfAdmitted(oldest)),
      InvariantCheck(
        number: 8, statement: "a queue was called in its order, and nobody who waits was passed over",
        rowsChecked: entries, violations: try outOfOrder(oldest)),
    ]
  }

  private func miscounted(_ oldest: Instant) throws -> [String] {
    try reader.rows(
      """
      SELECT q.subject FROM queue_events q LEFT JOIN queue_entries e ON e.event_id = q.id WHERE \(Self.kept)
      GROUP BY q.id, q.subject, q.waiting, q.cap, q.last_sequence, q.admitted
      HAVING COUNT(CASE WHEN e.state = 1 THEN 1 END) <> q.waiting OR q.waiting > q.cap
        OR COUNT(e.sequence) <> q.last_sequence OR COALESCE(MAX(e.sequence), 0) <> q.last_sequence
        OR COUNT(e.number) <> q.admitted OR COALESCE(MAX(e.number), 0) <> q.admitted
      ORDER BY q.id LIMIT \(InvariantCheck.shownLimit)
      """, oldest
    ) { $0[0] }
  }

  private func halfAdmitted(_ oldest: Instant) throws -> [String] {
    try reader.rows(
      """
      SELECT e.id FROM queue_entries e JOIN queue_events q ON q.id = e.event_id
      WHERE \(Self.kept) AND ((e.number IS NULL) <> (e.ticket_expires_at IS NULL)
        OR (e.state IN (2, 3, 4) AND e.number IS NULL) OR (e.state IN (1, 5) AND e.number IS NOT NULL))
      ORDER BY e.id LIMIT \(InvariantCheck.shownLimit)
      """, oldest
    ) { ($0[0] as Identifier).text(kind: QueueOrder.idKind) }
  }

  private func outOfOrder(_ oldest: Instant) throws -> [String] {
    let ids: [Identifier] = try reader.rows(
      "SELECT q.id FROM queue_events q WHERE \(Self.kept) ORDER BY q.id", oldest
    ) { $0[0] }
    var wrong: [Identifier] = []
    for id in ids where wrong.count < InvariantCheck.shownLimit {
      guard let event = try EventRow.find(id, in: reader) else { continue }
      let order = QueueOrder(secret: queue.secret(of: id))
      let called = event.calledKey(order)
      wrong += try admittedWrongly(id, order, upTo: called)
      guard let called else { continue }
      wrong += try passedOver(id, order, by: called)
    }
    return wrong.map { $0.text(kind: QueueOrder.idKind) }
  }

  /// Those who were admitted before somebody whose turn it was earlier, or beyond the last one who was called.
  private func admittedWrongly(
    _ event: Identifier, _ order: QueueOrder, upTo called: QueueOrder.Key?
  ) throws -> [Identifier] {
    var wrong: [Identifier] = []
    var (number, last) = (Int64(0), QueueOrder.Key?.none)
    while true {
      let batch = try EntryRow.admissions(event, after: number, limit: queue.limits.loadedAtOnce, in: reader)
      for admission in batch {
        let key = order.key(of: admission.place)
        if last.map({ key < $0 }) ?? false || called.map({ $0 < key }) ?? true { wrong.append(admission.place.entry) }
        (number, last) = (admission.number, key)
      }
      let isEnough = wrong.count >= InvariantCheck.shownLimit
      if isEnough || batch.count < queue.limits.loadedAtOnce { return wrong }
    }
  }

  /// Those who wait though the turn of somebody behind them has come.
  private func passedOver(_ event: Identifier, _ order: QueueOrder, by called: QueueOrder.Key) throws -> [Identifier] {
    var wrong: [Identifier] = []
    let limit = queue.limits.loadedAtOnce
    var (entry, sequence) = (Identifier(rawValue: 0), Int64(0))
    while case let batch = try EntryRow.lobby(event, after: entry, limit: limit, in: reader), let last = batch.last {
      wrong += batch.filter { order.key(of: $0) <= called }.map(\.entry)
      if wrong.count >= InvariantCheck.shownLimit { return wrong }
      entry = last.entry
    }
    while case let batch = try EntryRow.later(event, after: sequence, limit: limit, in: reader), let last = batch.last {
      wrong += batch.filter { order.key(of: $0) <= called }.map(\.entry)
      if wrong.count >= InvariantCheck.shownLimit { return wrong }
      sequence = last.sequence
    }
    return wrong
  }
}
