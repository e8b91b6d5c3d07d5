import Base
import DomainKit
import Storage

/// Closes accounts, takes them back, and erases those whose time is over.
///
/// A closing account waits as a job. When that is due it asks every domain to erase what it keeps of the user, piece by
/// piece, and last the account itself with the key that replies are sealed with. After a crash it begins again, which
/// finds less to do.
struct Closing: Sendable {
  /// How long a login takes a closing account back.
  static let delay = Duration.seconds(14 * 86_400)
  /// How long an account waits again if something has become open meanwhile.
  private static let postponement = Duration.seconds(86_400)
  static let job = "identity.erase"
  /// An erasure is not given up for what passes: the last of so many attempts comes after four days.
  private static let attempts = 100

  let core: IdentityCore

  private var kit: Kit { core.kit }

  /// Before the timers are started.
  func handleJobs() {
    var policy = RetryPolicy()
    policy.attempts = Self.attempts
    core.timers.work(Self.job, policy: policy) { [self] job in try await erase(job) }
  }

  /// What must be settled before somebody may go, with the names of the domains that say so.
  private func blockers(of user: Identifier, in writer: any Writer) throws -> [String] {
    try kit.personalRecords.all.flatMap { records in
      try records.blockers(of: user, in: writer).map { "\(records.name).\($0)" }
    }
  }

  /// Closes an account that this transaction holds, as its owner wants, who is told: it may have been a thief.
  /// - Throws: `IdentityError.closeBlocked`.
  func closeUnlessBlocked(_ user: UserRow, in writer: any Writer) throws -> UserRow {
    let blockers = try blockers(of: user.id, in: writer)
    guard blockers.isEmpty else { throw IdentityError.closeBlocked(blockers) }
    let closed = try close(user, in: writer)
    try core.tell(user.id, AccountNotices.closing, in: writer)
    return closed
  }

  /// Closes an account that this transaction holds.
  /// - Parameter delay: until it is erased.
  func close(_ user: UserRow, after delay: Duration = Self.delay, in writer: any Writer) throws -> UserRow {
    let due = kit.clock.now() + delay
    try writer.execute(
      "UPDATE identity_users SET state = $2, closed_from = $3, erases_at = $4 WHERE id = $1", user.id,
      UserRow.State.closing.rawValue, user.state.rawValue, due)
    try core.endSessions(core.liveSessions(of: user.id, in: writer), .closed, in: writer)
    try core.credentials.endSessions(of: user.id, .closed, in: writer)
    try core.timers.set(Self.job, key: Self.key(user.id), due: due, in: writer)
    return try changed(user, in: writer)
  }

  /// Ends the suspension of an account that its owner has closed meanwhile: a login takes it back again.
  /// - Parameter state: what it would be if it were not closing.
  /// - Returns: false for an account that was not suspended when it was closed, or whose erasure has begun.
  func lift(_ user: Identifier, to state: UserRow.State, in writer: any Writer) throws -> Bool {
    let lifted = try writer.execute(
      "UPDATE identity_users SET closed_from = $2 WHERE id = $1 AND state = $3 AND closed_from = $4", user,
      state.rawValue, UserRow.State.closing.rawValue, UserRow.State.suspended.rawValue)
    return lifted == 1
  }

  /// Gives a closing account that this transaction holds back to its owner, who has logged in.
  /// - Throws: `IdentityError.wrongCredentials` if its time is over.
  func takeBack(_ user: UserRow, in writer: any Writer) throws -> UserRow {
    guard let erasesAt = user.erasesAt, kit.clock.now() < erasesAt else { throw IdentityError.wrongCredentials }
    // Once the erasure has begun nothing gives it back, whatever this node's clock says.
    let isBack = try writer.execute(
      """
      UPDATE identity_users SET state = closed_from, closed_from = NULL, erases_at = NULL
      WHERE id = $1 AND closed_from IS NOT NULL
      """, user.id)
    guard isBack == 1 else { throw IdentityError.wrongCredentials }
    try core.timers.cancel(Self.job, key: Self.key(user.id), in: writer)
    let restored = try changed(user, in: writer)
    // Nobody could prove anything while the account was closing.
    if restored.state == .new { try core.prolongNew(user.id, in: writer) }
    return restored
  }

  private func changed(_ user: UserRow, in writer: any Writer) throws -> UserRow {
    try kit.subjects.visibilityChanged(of: SubjectID(IDKind.user, user.id), in: writer)
    guard let changed = try UserRow.find(user.id, in: writer) else { preconditionFailure("a held user is gone") }
    return changed
  }

  private static func key(_ user: Identifier) -> String { String(user.rawValue) }

  // MARK: The job

  private func erase(_ job: Job) async throws {
    guard let number = Int64(job.timer.key) else { return }
    let user = Identifier(rawValue: number)
    guard try await mayErase(user, job) else { return }
    // The account comes last: what is left of an erasure that was cut short must still be found by its user.
    let all = kit.personalRecords.all
    let ordered = all.filter { $0.name != IdentityDomain.name } + all.filter { $0.name == IdentityDomain.name }
    for records in ordered {
      while try await job.write({ writer in try records.erase(user, in: writer) }) {}
    }
    try await kit.database.scrub()
  }

  /// Whether the account is to be erased now, or has been but for the last steps.
  private func mayErase(_ user: Identifier, _ job: Job) async throws -> Bool {
    try await job.write { [self] writer in
      guard let row = try UserRow.findForUpdate(user, in: writer) else { return false }
      if row.state == .erased { return true }
      guard row.state == .closing, let erasesAt = row.erasesAt else { return false }
      guard erasesAt <= kit.clock.now() else {
        // The clock has stepped back since the lease: the job must not end with nothing done.
        try core.timers.set(Self.job, key: job.timer.key, due: erasesAt, in: writer)
        return false
      }
      if try blockers(of: user, in: writer).isEmpty {
        // From here on nothing gives it back: a part may be gone.
        try writer.execute("UPDATE identity_users SET closed_from = NULL WHERE id = $1", user)
        return true
      }
      let due = kit.clock.now() + Self.postponement
      try writer.execute(
        "UPDATE identity_users SET erases_at = $2 WHERE id = $1 AND closed_from IS NOT NULL", user, due)
      try core.timers.set(Self.job, key: job.timer.key, due: due, in: writer)
      return false
    }
  }
}
