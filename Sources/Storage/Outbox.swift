public import Base

/// A message for the world outside of the database.
public struct OutboxEntry: Sendable, Equatable {
  /// Rises within a channel in the order of the commits, with gaps.
  public let id: Int64
  public let payload: [UInt8]
  public let createdAt: Instant
}

/// Messages that leave the database if and only if their transaction commits: to a bus, a webhook, a mail server.
///
/// They are delivered in order per channel, each at least once: after a crash or a failed delivery the same entry
/// comes again, so a receiver recognises it by its id. For effects inside the database use `Timers`, which run exactly
/// once.
public final class Outbox: Sendable {
  /// Takes one entry out to the world. It is removed once this returns, and comes again if it throws.
  public typealias Delivery = @Sendable (OutboxEntry) async throws -> Void

  private let database: any Database
  private let clock: any WallClock
  private let state = Locked(State())
  private let wakeUp = ParkingSpot()

  private struct State {
    var channels: [String: Delivery] = [:]
    var loop: Task<Void, Never>?
    var isStopping = false
  }

  /// Entries that are read and removed with one transaction.
  private static let batch = 128
  /// How long the loop sleeps when nothing wakes it.
  private static let longestSleep: Duration = .seconds(1)

  public init(database: any Database, clock: any WallClock) {
    self.database = database
    self.clock = clock
  }

  /// Appends a message in the caller's transaction.
  public func append(_ channel: String, _ payload: [UInt8], in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO octet_outbox (channel, payload, created_at) VALUES ($1, $2, $3)", channel, payload, clock.now())
    writer.afterCommit { [wakeUp] in wakeUp.unpark() }
  }

  /// Says where the messages of a channel go. Before `start`.
  public func deliver(_ channel: String, to delivery: @escaping Delivery) {
    state.withLock { state in
      precondition(state.channels[channel] == nil, "two ways out for channel \(channel)")
      state.channels[channel] = delivery
    }
  }

  /// Delivers what is waiting, channel by channel.
  /// - Returns: how many entries were delivered.
  /// - Throws: the first failed delivery's error, after the other channels had their turn.
  @discardableResult
  public func deliverWaiting() async throws -> Int {
    var delivered = 0
    var failure: (any Error)?
    let channels = state.withLock { $0.channels }
    for (channel, delivery) in channels.sorted(by: { $0.key < $1.key }) {
      do {
        delivered += try await drain(channel, delivery)
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
    return delivered
  }

  /// Starts to deliver in the background.
  public func start() {
    state.withLock { state in
      precondition(state.loop == nil, "the outbox was started twice")
      state.isStopping = false
      state.loop = Task { await loop() }
    }
  }

  /// Ends the background work; the delivery under way is finished first.
  public func stop() async {
    let loop = state.withLock { state in
      state.isStopping = true
      defer { state.loop = nil }
      return state.loop
    }
    wakeUp.unpark()
    await loop?.value
  }

  private func loop() async {
    while !state.withLock({ $0.isStopping }) {
      // What fails stays in the outbox, and is tried again after the sleep or with the next message.
      _ = try? await deliverWaiting()
      // Nobody cancels the loop's task; stopping wakes it up.
      try? await wakeUp.park(atMost: Self.longestSleep)
    }
  }

  private func drain(_ channel: String, _ delivery: Delivery) async throws -> Int {
    var total = 0
    while true {
      let entries = try await waiting(channel)
      var delivered: [OutboxEntry] = []
      var failure: (any Error)?
      for entry in entries {
        do {
          try await delivery(entry)
          delivered.append(entry)
        } catch {
          failure = error
          break
        }
      }
      try await remove(delivered)
      total += delivered.count
      if let failure { throw failure }
      if entries.count < Self.batch { return total }
    }
  }

  private func waiting(_ channel: String) async throws -> [OutboxEntry] {
    try await database.read { reader in
      try reader.rows(
        "SELECT id, payload, created_at FROM octet_outbox WHERE channel = $1 ORDER BY id LIMIT $2",
        channel, Self.batch
      ) { OutboxEntry(id: $0[0], payload: $0[1], createdAt: $0[2]) }
    }
  }

  private func remove(_ entries: [OutboxEntry]) async throws {
    if entries.isEmpty { return }
    try await database.write { writer in
      for entry in entries {
        try writer.execute("DELETE FROM octet_outbox WHERE id = $1", entry.id)
      }
    }
  }
}
