public import Base

/// Messages that leave the database if and only if their transaction commits: to a bus, a webhook, a mail server.
///
/// They are delivered per channel in the order of their ids, each at least once: after a crash or a failed delivery the
/// same entry comes again, so a receiver recognises it by its id. For effects inside the database use `Timers`, which run
/// exactly once.
///
/// An entry gets its id when it is appended. That is the order of the commits for entries that are about the same thing, as
/// `append` is told, and for transactions that append while they hold a row which both write. Of others the one that
/// appends first may commit last; then its entry leaves last too, behind entries with higher ids. None is passed over: a
/// channel is read by what is there, not by how far it was read.
///
/// Of several nodes one at a time delivers a channel, under a lease. A message whose delivery fails holds up its
/// channel while it is tried again, so that the order is kept; when its policy gives it up it becomes a dead letter,
/// and the channel goes on.
public final class Outbox: Sendable {
  /// Takes one entry out to the world. It is removed once this returns, and comes again if it throws. It is cancelled,
  /// and must end then, when it takes longer than a quarter of a minute.
  public typealias Delivery = @Sendable (OutboxEntry) async throws -> Void

  let database: any Database
  let clock: any WallClock
  private let random: any RandomSource
  private let longestDelivery: Duration
  private let leases: Leases
  private let channels = Locked<[String: Channel]>([:])
  let loop = BackgroundLoop()

  private struct Channel: Sendable {
    let name: String
    let policy: RetryPolicy
    let delivery: Delivery
  }

  /// Entries that are read and removed with one transaction.
  private static let batch = 128
  /// How long the loop sleeps when nothing wakes it.
  private static let longestSleep: Duration = .seconds(1)
  /// How long a node that has gone silent keeps its channels from the others.
  static let leaseDuration: Duration = .seconds(30)
  /// A lease is renewed before a delivery when less than this is left of it, so that no delivery outlives its lease.
  private static let leaseReserve: Duration = .seconds(20)
  /// The longest that a single delivery may take; less than the reserve.
  private static let longestDelivery: Duration = .seconds(15)

  public convenience init(database: any Database, clock: any WallClock, random: any RandomSource) {
    self.init(database: database, clock: clock, random: random, longestDelivery: Self.longestDelivery)
  }

  /// - Parameter longestDelivery: for tests whose deliveries go on on a busy machine.
  init(database: any Database, clock: any WallClock, random: any RandomSource, longestDelivery: Duration) {
    self.database = database
    self.clock = clock
    self.random = random
    self.longestDelivery = longestDelivery
    leases = Leases(database: database, clock: clock, random: random)
  }

  /// Appends a message in the caller's transaction.
  /// - Parameter key: what the message is about, if those about one thing must leave in the order of their commits. Such
  ///   transactions follow one another from here to their commits. One that is about several things names them in an
  ///   order that all keep, or waits for another until one of them is run again.
  public func append(_ channel: String, _ payload: [UInt8], about key: String? = nil, in writer: any Writer) throws {
    if let key {
      var thing = StableHash()
      thing.combine(channel.utf8)
      // No byte of UTF-8.
      thing.combine([0xff])
      thing.combine(key.utf8)
      try writer.lock("outbox", thing.value, .exclusive)
    }
    try writer.send(
      "INSERT INTO octet_outbox (channel, payload, created_at) VALUES ($1, $2, $3)", channel, payload, clock.now())
    writer.afterCommit { [loop] in loop.wake() }
  }

  /// Says where the messages of a channel go. Before `start`.
  public func deliver(_ channel: String, policy: RetryPolicy = .outbox, to delivery: @escaping Delivery) {
    channels.withLock { channels in
      precondition(channels[channel] == nil, "two ways out for channel \(channel)")
      channels[channel] = Channel(name: channel, policy: policy, delivery: delivery)
    }
  }

  /// Delivers what is waiting, all channels at the same time. Channels that another node delivers, and those that wait
  /// for their next attempt, are left out.
  /// - Returns: how many entries were delivered.
  /// - Throws: the first failure, after the other channels had their turn.
  @discardableResult
  public func deliverWaiting() async throws -> Int {
    let channels = channels.withLock { $0.values.sorted { $0.name < $1.name } }
    let results = await withTaskGroup(of: Result<Int, any Error>.self) { group in
      for channel in channels {
        group.addTask {
          do { return .success(try await self.drain(channel)) } catch { return .failure(error) }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    return try results.reduce(0) { try $0 + $1.get() }
  }

  /// Starts to deliver in the background.
  /// - Parameter failed: is told of the first failure of each round. What fails stays in the outbox, and is tried again when
  ///   its time has come.
  public func start(failed: @escaping @Sendable (any Error) -> Void) {
    loop.start { [self] in
      while !loop.isStopping {
        do {
          try await deliverWaiting()
        } catch {
          failed(error)
        }
        await loop.pause(atMost: Self.longestSleep)
      }
    }
  }

  /// Ends the background work; the deliveries under way are finished first.
  public func stop() async { await loop.stop() }

  private func drain(_ channel: Channel) async throws -> Int {
    if try await !isDue(channel) { return 0 }
    guard var lease = try await leases.acquire("outbox/" + channel.name, for: Self.leaseDuration) else { return 0 }
    do {
      let count = try await drain(channel, under: &lease)
      try await leases.release(lease)
      return count
    } catch {
      // If this fails too, the lease ends by itself.
      try? await leases.release(lease)
      throw error
    }
  }

  private func drain(_ channel: Channel, under lease: inout Lease) async throws -> Int {
    var total = 0
    // Judged again under the lease: who held it before may have delivered or failed meanwhile.
    while !loop.isStopping, try await isDue(channel) {
      let entries = try await waiting(channel, fence: lease.fence)
      var delivered: [Int64] = []
      var failure: (entry: OutboxEntry, error: any Error)?
      for entry in entries where failure == nil && !loop.isStopping {
        if lease.expiresAt - clock.now() < Self.leaseReserve {
          lease = try await leases.renew(lease, for: Self.leaseDuration)
        }
        do {
          try await deliver(entry, channel)
          delivered.append(entry.id)
        } catch {
          failure = (entry, error)
        }
      }
      total += delivered.count
      try await settle(channel, delivered, failure, under: lease)
      if let failure { throw failure.error }
      if entries.count < Self.batch { break }
    }
    return total
  }

  private func deliver(_ entry: OutboxEntry, _ channel: Channel) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await channel.delivery(entry) }
      group.addTask {
        try await Task.sleep(for: self.longestDelivery)
        throw DeliveryTimeout()
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Whether the channel has an entry, and the time of its first one has come.
  private func isDue(_ channel: Channel) async throws -> Bool {
    let now = clock.now()
    return try await database.read { reader in
      let retryAt: Instant? = try reader.first(
        "SELECT retry_at FROM octet_outbox WHERE channel = $1 ORDER BY id LIMIT 1", channel.name
      ) { $0[0] }
      return retryAt.map { $0 <= now } ?? false
    }
  }

  /// The next entries of a channel, up to one whose time has not come. That may be behind others: a transaction that
  /// took long has committed an entry with a lower number than one that has failed already.
  private func waiting(_ channel: Channel, fence: Int64) async throws -> [OutboxEntry] {
    let now = clock.now()
    return try await database.read { reader in
      var entries: [OutboxEntry] = []
      try reader.forEachRow(
        """
        SELECT id, payload, created_at, attempts, retry_at FROM octet_outbox WHERE channel = $1 ORDER BY id LIMIT $2
        """, [.text(channel.name), .integer(Int64(Self.batch))]
      ) { row in
        let (attempts, retryAt): (Int, Instant) = (row[3], row[4])
        guard retryAt <= now else { return false }
        entries.append(
          OutboxEntry(id: row[0], payload: row[1], createdAt: row[2], attempt: attempts + 1, fence: fence))
        return true
      }
      return entries
    }
  }

  /// Removes what was delivered and notes what failed. A node that has lost its turn does neither: its successor
  /// delivers the entries again.
  private func settle(
    _ channel: Channel, _ delivered: [Int64], _ failure: (entry: OutboxEntry, error: any Error)?, under lease: Lease
  ) async throws {
    if delivered.isEmpty && failure == nil { return }
    let now = clock.now()
    let isExcused = failure?.error.costsNoAttempt == true
    let retryAt = failure.map { now + channel.policy.delay(afterAttempt: $0.entry.attempt, random: random) }
    let failed = failure.map { (entry: $0.entry, words: String(describing: $0.error)) }
    try await leases.write(under: lease) { writer in
      for id in delivered {
        try writer.send("DELETE FROM octet_outbox WHERE channel = $1 AND id = $2", channel.name, id)
      }
      guard let failed, let retryAt else { return }
      if failed.entry.attempt >= channel.policy.attempts && !isExcused {
        return try Self.bury(failed.entry, channel.name, failed.words, now, writer)
      }
      try writer.send(
        "UPDATE octet_outbox SET attempts = $3, retry_at = $4 WHERE channel = $1 AND id = $2",
        channel.name, failed.entry.id, isExcused ? failed.entry.attempt - 1 : failed.entry.attempt, retryAt)
    }
  }
}
