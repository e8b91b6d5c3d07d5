public import Base
import Cryptography
public import DomainKit
public import Storage

/// Knows which sessions have ended and what users are allowed: from memory for reads, from the rows for changes.
///
/// Memory learns of changes on this node as they commit, and of those on other nodes by `catchUp`.
public final class IdentityAuthority: Authority {
  /// How many users' grants are kept in memory.
  private static let rolesLimit = 65_536
  /// How much older than the last look a change may be: the clocks of two nodes differ, and a commit takes time.
  private static let overlap = Duration.seconds(10)
  /// Every so many looks go back as far as access tokens live, for what was written by a clock that is further behind.
  static let looksPerLongLook = 20

  /// How many users' sealing keys are kept in memory, a page each.
  private static let sealingKeysLimit = 1024
  private static let firstSweep = 1024

  private struct State {
    /// Sessions that ended within the life of an access token, on any node. Not bounded by a number, because forgetting one would
    /// let a thief in; but each was opened by a password hash, of which a node makes a few dozen a second.
    var ended: [Identifier: Instant] = [:]
    /// How many are there when those that no token can name any more are removed.
    var sweepAt = IdentityAuthority.firstSweep
    var roles = BoundedCache<Identifier, LoadedRoles>(capacity: IdentityAuthority.rolesLimit)
    /// Opened keys: guarded memory is dear to get, and a user who changes one thing often changes another.
    var sealingKeys = BoundedCache<Identifier, SealingKey>(capacity: IdentityAuthority.sealingKeysLimit)
    /// Counts what was noted, so that a load which began before a change is not kept after it.
    var changes = 0
    /// When other nodes' changes were last looked for.
    var lookedAt: Instant
    /// How often they were.
    var looks = 0

    /// Notes sessions that have ended, and forgets those whose tokens have expired by themselves since.
    mutating func note(ends: [(session: Identifier, at: Instant)], now: Instant) {
      for (session, at) in ends { ended[session] = at }
      if ended.count < sweepAt { return }
      ended = ended.filter { now - $0.value < AccessToken.lifetime + IdentityAuthority.overlap }
      sweepAt = max(IdentityAuthority.firstSweep, 2 * ended.count)
    }

    /// Since when the next look asks for changes.
    mutating func beginLook(at now: Instant) -> Instant {
      looks += 1
      let isLong = looks % IdentityAuthority.looksPerLongLook == 0
      return min(lookedAt, isLong ? now - AccessToken.lifetime : lookedAt) - IdentityAuthority.overlap
    }
  }

  private struct LoadedRoles {
    let epoch: Int64
    let roles: RoleSet
  }

  private let database: any Database
  private let clock: any WallClock
  private let userKeys: UserKeys
  private let state: Locked<State>

  /// Knows nothing of the time before its first `catchUp`, which must therefore precede the first call.
  /// - Throws: `CryptographyError` for unusable keys.
  public init(database: any Database, clock: any WallClock, keys: ServerKeys) throws {
    userKeys = try UserKeys(keys)
    self.database = database
    self.clock = clock
    state = Locked(State(lookedAt: clock.now() - AccessToken.lifetime))
  }

  /// Learns what other nodes (or this one, before it was started) have changed. Called on start, and every half second where
  /// several nodes share a database.
  public func catchUp() async throws {
    let now = clock.now()
    let since = state.withLock { $0.beginLook(at: now) }
    let (ended, changed, erased) = try await database.read { reader in
      (
        try reader.rows("SELECT id, ended_at FROM identity_sessions WHERE ended_at >= $1", since) {
          (session: $0[0] as Identifier, at: $0[1] as Instant)
        },
        try reader.rows("SELECT DISTINCT user_id FROM identity_grants WHERE changed_at >= $1", since) {
          $0[0] as Identifier
        },
        try reader.rows("SELECT id FROM identity_users WHERE erased_at >= $1", since) { $0[0] as Identifier }
      )
    }
    state.withLock { state in
      state.note(ends: ended, now: now)
      for user in changed { state.roles[user] = nil }
      for user in erased { state.sealingKeys[user] = nil }
      state.changes += 1
      state.lookedAt = now
    }
  }

  public func hasEnded(_ session: Identifier) -> Bool {
    state.withLock { $0.ended[session] != nil }
  }

  public func recall(_ token: AccessToken, at now: Instant) -> (roles: RoleSet, hasEnded: Bool)? {
    let (known, hasEnded) = state.withLock { ($0.roles[token.user], $0.ended[token.session] != nil) }
    guard let known, known.epoch >= token.epoch else { return nil }
    return (known.roles.inForce(at: now), hasEnded)
  }

  public func knownRoles(of user: Identifier, epoch: Int64) -> RoleSet? {
    guard let known = state.withLock({ $0.roles[user] }), known.epoch >= epoch else { return nil }
    return known.roles.inForce(at: clock.now())
  }

  public func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet {
    let changes = state.withLock { $0.changes }
    if let known = knownRoles(of: user, epoch: epoch) { return known }
    let loaded = try await database.read { reader in
      LoadedRoles(
        epoch: try reader.first("SELECT grants_epoch FROM identity_users WHERE id = $1", user) { $0[0] } ?? 0,
        roles: try GrantRow.roles(of: user, in: reader))
    }
    state.withLock { state in
      if state.changes == changes { state.roles[user] = loaded }
    }
    return loaded.roles.inForce(at: clock.now())
  }

  private struct Confirmed {
    let session: SessionRow
    /// The user; for a machine the one who answers for it.
    let person: Identifier
    let state: UserRow.State?
    let sealedKey: [UInt8]

    init(_ row: any Row) {
      session = SessionRow(row)
      person = row[11]
      state = UserRow.State(rawValue: row[12])
      sealedKey = row[13]
    }
  }

  public func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    try writer.lock(StandingLock.session, caller.session.rawValue, .shared)
    let now = clock.now()
    let persons =
      caller.isMachine
      ? """
      JOIN identity_credentials c ON c.id = s.user_id AND c.revoked_at IS NULL
        AND (c.expires_at IS NULL OR c.expires_at > $3)
      JOIN identity_users u ON u.id = c.owner_id
      """ : "JOIN identity_users u ON u.id = s.user_id"
    let found = try writer.first(
      """
      SELECT \(SessionRow.columns), u.id, u.state, u.sealing_key FROM identity_sessions s \(persons)
      WHERE s.id = $1 AND s.user_id = $2
      """, [caller.session.sqlValue, caller.user.sqlValue] + (caller.isMachine ? [now.sqlValue] : []),
      make: Confirmed.init)
    guard let found, found.session.isLive(at: now) else { throw KitError.sessionEnded }
    if found.state == .suspended { throw KitError.accountSuspended }
    if now - found.session.lastUsedAt >= SessionRow.useGrain {
      try writer.execute("UPDATE identity_sessions SET last_used_at = $2 WHERE id = $1", caller.session, now)
    }
    return Standing(
      provedAt: found.session.provedAt, sealingKey: try sealingKey(of: found.person, found.sealedKey))
  }

  public func sealingKey(of caller: Caller, in reader: any Reader) throws -> SealingKey? {
    let person: Identifier? =
      try caller.isMachine
      ? reader.first("SELECT owner_id FROM identity_credentials WHERE id = $1", caller.user) { $0[0] } : caller.user
    guard let person, let key = try sealingKey(of: person, in: reader) else { throw KitError.sessionEnded }
    return key
  }

  /// A user's own key; nil for an unknown or erased user.
  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey? {
    let sealed: [UInt8]? = try reader.first("SELECT sealing_key FROM identity_users WHERE id = $1", user) { $0[0] }
    return try sealed.flatMap { $0.isEmpty ? nil : try sealingKey(of: user, $0) }
  }

  private func sealingKey(of user: Identifier, _ sealed: [UInt8]) throws -> SealingKey {
    if let known = state.withLock({ $0.sealingKeys[user] }) { return known }
    let key = try userKeys.open(sealed, of: user)
    state.withLock { $0.sealingKeys[user] = key }
    return key
  }

  public func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet {
    try GrantRow.roles(of: user, in: reader).inForce(at: clock.now())
  }

  /// Notes that sessions end with the transaction.
  func noteEnded(_ sessions: [Identifier], at now: Instant, in writer: any Writer) {
    guard !sessions.isEmpty else { return }
    writer.afterCommit { [self] in
      state.withLock { $0.note(ends: sessions.map { (session: $0, at: now) }, now: now) }
    }
  }

  /// Notes that a user's own key is destroyed with the transaction.
  func noteErased(_ user: Identifier, in writer: any Writer) {
    writer.afterCommit { [self] in state.withLock { $0.sealingKeys[user] = nil } }
  }

  /// Notes that a user's grants change with the transaction, and raises the epoch that new access tokens carry.
  func noteGrantsChanged(of user: Identifier, in writer: any Writer) throws {
    try writer.lock(StandingLock.roles, user.rawValue, .exclusive)
    try writer.execute("UPDATE identity_users SET grants_epoch = grants_epoch + 1 WHERE id = $1", user)
    writer.afterCommit { [self] in
      state.withLock { state in
        state.roles[user] = nil
        state.changes += 1
      }
    }
  }
}
