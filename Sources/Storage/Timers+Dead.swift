internal import Base

extension Timers {
  /// The timers and jobs that were given up, newest first. `DeadLetterRetention` says for how long they are kept.
  /// - Parameters:
  ///   - kind: those of one kind, which costs a look at all; nil for all.
  ///   - last: the last one of the page before.
  public func dead(
    _ kind: String? = nil, before last: Int64 = .max, limit: Int, in reader: any Reader
  ) throws -> [DeadTimer] {
    let condition = kind == nil ? "" : "AND kind = $3 "
    return try reader.rows(
      "SELECT \(DeadTimer.columns) FROM octet_dead_timers WHERE id < $1 \(condition)ORDER BY id DESC LIMIT $2",
      [last.sqlValue, limit.sqlValue] + (kind.map { [.text($0)] } ?? []), make: DeadTimer.init)
  }

  /// One that was given up; nil if there is none with this id.
  public func dead(_ id: Int64, in reader: any Reader) throws -> DeadTimer? {
    try reader.first(
      "SELECT \(DeadTimer.columns) FROM octet_dead_timers WHERE id = $1", id, make: DeadTimer.init)
  }

  /// Whether one of this kind and key was given up, at the cost of a look at all.
  public func isDead(_ kind: String, key: String, in reader: any Reader) throws -> Bool {
    try reader.exists("SELECT 1 FROM octet_dead_timers WHERE kind = $1 AND key = $2", kind, key)
  }

  /// Gives a dead letter all its attempts again, from now.
  /// - Returns: false if there is none with this id, or if its kind and key have been set anew: then it stays dead.
  @discardableResult
  public func retry(dead id: Int64, in writer: any Writer) throws -> Bool {
    let now = clock.now()
    let dead: (kind: String, key: String, scheduledFor: Instant, payload: [UInt8])? = try writer.firstForUpdate(
      "SELECT kind, key, scheduled_for, payload FROM octet_dead_timers WHERE id = $1", id
    ) { ($0[0], $0[1], $0[2], $0[3]) }
    guard let dead else { return false }
    let isSet = try writer.execute(
      """
      INSERT INTO octet_timers (kind, key, due, scheduled_for, fence, attempts, payload)
      VALUES ($1, $2, $3, $4, $3, 0, $5) ON CONFLICT (kind, key) DO NOTHING
      """, dead.kind, dead.key, now, dead.scheduledFor, dead.payload)
    guard isSet == 1 else { return false }
    try discard(dead: id, in: writer)
    writer.afterCommit { [wakeUp, changeBoard] in
      wakeUp.unpark()
      changeBoard.note(dead.kind)
    }
    return true
  }

  /// Forgets a dead letter.
  /// - Returns: whether there was one.
  @discardableResult
  public func discard(dead id: Int64, in writer: any Writer) throws -> Bool {
    try writer.execute("DELETE FROM octet_dead_timers WHERE id = $1", id) > 0
  }

  /// Moves a timer to the dead letters, unless it has been set anew or cancelled meanwhile, and has done what is to be done
  /// then.
  func giveUp(_ timer: DueTimer, attempts: Int, error: String, _ writer: any Writer) throws {
    let buried = try writer.execute(
      "DELETE FROM octet_timers WHERE kind = $1 AND key = $2 AND fence = $3", timer.kind, timer.key, timer.fence)
    guard buried == 1 else { return }
    try writer.send(
      """
      INSERT INTO octet_dead_timers (kind, key, scheduled_for, attempts, payload, error, died_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      """, timer.kind, timer.key, timer.scheduledFor, attempts, timer.payload, error, clock.now())
    var last = timer
    last.attempt = attempts
    try wasGivenUp(last, writer)
  }

  /// Does what is to be done when nobody does a timer or job any more.
  func wasGivenUp(_ timer: DueTimer, _ writer: any Writer) throws {
    switch state.withLock({ $0.handlers[timer.kind] })?.body {
    case .job(_, let givenUp), .elsewhere(let givenUp): try givenUp(writer, timer)
    case .transaction, nil: break
    }
  }
}

extension DeadTimer {
  fileprivate static let columns = "id, kind, key, scheduled_for, attempts, payload, error, died_at"

  fileprivate init(_ row: any Row) {
    self.init(
      id: row[0], kind: row[1], key: row[2], scheduledFor: row[3], attempts: row[4], payload: row[5], error: row[6],
      diedAt: row[7])
  }
}
