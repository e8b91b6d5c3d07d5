public import Base

/// Shares things out among the nodes of a service: each has one owner at a time, by a lease, and each node has its part.
///
/// Every node calls `round` again and again, with the same things. A node that dies loses what it owned when the leases
/// run out; one that joins is given its part by those that have more than theirs. Safe to share between threads, but
/// there is one round at a time.
public final class Ownership: Sendable {
  /// Something that this node owns.
  public struct Owned: Sendable, Equatable {
    public let thing: String
    /// What is done as the owner is done under this lease; see `Leases.confirm`.
    public let lease: Lease
    /// Since when this node has owned it without a gap.
    public let since: Instant
  }

  private let database: any Database
  private let leases: Leases
  private let clock: any WallClock
  private let kind: String
  private let node: Int
  private let lifetime: Duration
  private let state = Locked(State())

  private struct State {
    var presence: Lease?
    var owned: [String: Owned] = [:]
  }

  /// - Parameters:
  ///   - kind: of the things, e.g. `rides/city`: leases are named by it.
  ///   - node: the number of this node, which no other one has.
  ///   - lifetime: of the leases, and so how long the things of a node that died are without an owner. A few times as
  ///     long as the time between two rounds.
  public init(
    database: any Database, clock: any WallClock, random: any RandomSource, kind: String, node: Int,
    lifetime: Duration = .seconds(10)
  ) {
    self.database = database
    self.clock = clock
    self.kind = kind
    self.node = node
    self.lifetime = lifetime
    leases = Leases(database: database, clock: clock, random: random)
  }

  /// What this node owns of a thing now; nil if it does not. Looks at nothing but memory and the clock.
  public func owned(_ thing: String) -> Owned? {
    state.withLock { $0.owned[thing] }.flatMap { clock.now() < $0.lease.expiresAt ? $0 : nil }
  }

  /// Renews what this node owns, gives up what is more than its part, and takes what is free up to its part.
  /// - Parameter things: all there are; what is no longer among them is given up.
  /// - Returns: what this node owns now, in their order.
  /// - Throws: `StorageError`; what was owned stays so until its lease runs out.
  @discardableResult
  public func round(_ things: [String]) async throws -> [Owned] {
    try await renew()
    let (nodes, taken) = try await look()
    let part = (things.count + nodes - 1) / nodes
    let before = state.withLock { $0.owned }
    let wanted = Set(things)
    var surplus = before.keys.filter { !wanted.contains($0) }
    surplus += things.filter { before[$0] != nil }.dropFirst(part)
    // What was given up now is for others, who have less than their part.
    let given = try await release(surplus)
    var count = before.count - surplus.count
    for thing in things where count < part && before[thing] == nil && !taken.contains(thing) && !given.contains(thing) {
      guard let lease = try await leases.acquire(name(thing), for: lifetime) else { continue }
      // Noted at once: the next one may fail.
      state.withLock { $0.owned[thing] = Owned(thing: thing, lease: lease, since: clock.now()) }
      count += 1
    }
    return state.withLock { state in things.compactMap { state.owned[$0] } }
  }

  /// Gives everything up, so that others need not wait for the leases to end.
  public func releaseAll() async throws {
    _ = try await release(Array(state.withLock { $0.owned.keys }))
    guard let presence = state.withLock({ $0.presence.take() }) else { return }
    try await leases.release(presence)
  }

  // MARK: Inside

  private func name(_ thing: String) -> String { kind + "/" + thing }

  /// By this lease the nodes know how many they are. Numbers are few, so the rows are too.
  private var presenceName: String { kind + ".node/\(node)" }

  private func renew() async throws {
    let lifetime = lifetime
    // A round that comes early has nothing to write.
    if let presence = state.withLock({ $0.presence }), presence.expiresAt - clock.now() > lifetime * 2 / 3 { return }
    let presence = try await leases.acquire(presenceName, for: lifetime)
    let known = state.withLock { Array($0.owned.values) }
    let clock = clock
    let renewed = try await database.write { writer in
      let now = clock.now()
      return try known.compactMap { old -> Owned? in
        // One that is over is free: it is taken anew, under another fence.
        let lease = try Leases.renew(old.lease, for: lifetime, from: now, in: writer)
        return lease.map { Owned(thing: old.thing, lease: $0, since: old.since) }
      }
    }
    state.withLock { state in
      state.presence = presence
      state.owned = Dictionary(uniqueKeysWithValues: renewed.map { ($0.thing, $0) })
    }
  }

  /// How many nodes there are, this one included, and what belongs to others. What this one has in the database and does not
  /// know of, as it got no answer, is free for it.
  private func look() async throws -> (nodes: Int, taken: Set<String>) {
    let (clock, kind, presenceName, holder) = (clock, kind, presenceName, leases.holder)
    return try await database.read { reader in
      var nodes: Set<String> = [presenceName]
      var taken: Set<String> = []
      // Things and nodes of this kind, and not the leases of others, of which there may be very many: the names go from
      // `kind.node/…` to `kind/…`, and `0` is what follows `/`.
      try reader.forEachRow(
        "SELECT name FROM octet_leases WHERE name >= $1 AND name < $2 AND expires_at > $3 AND holder <> $4",
        [(kind + ".").sqlValue, (kind + "0").sqlValue, clock.now().sqlValue, holder.sqlValue]
      ) { row in
        let name: String = row[0]
        if name.hasPrefix(kind + ".node/") { nodes.insert(name) }
        if name.hasPrefix(kind + "/") { taken.insert(String(name.dropFirst(kind.count + 1))) }
        return true
      }
      return (nodes.count, taken)
    }
  }

  private func release(_ things: [String]) async throws -> Set<String> {
    for thing in things {
      // Forgotten first: what is done under it meanwhile is confirmed with the row.
      guard let owned = state.withLock({ $0.owned.removeValue(forKey: thing) }) else { continue }
      try await leases.release(owned.lease)
    }
    return Set(things)
  }
}
