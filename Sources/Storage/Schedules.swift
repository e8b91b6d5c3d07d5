internal import Base

/// Timers and jobs that come again and again.
///
/// A schedule is itself a durable timer, whose effect is to set the next tick's timer or job and itself again, in one
/// transaction. So each tick is taken by exactly one node, whatever crashes, and what the tick sets is leased, retried
/// and given up like any other: a failing run does not stop its schedule.
public final class Schedules: Sendable {
  /// What to do about ticks that nobody was there for, or whose run is still under way.
  public enum Missed: Sendable, Equatable {
    /// At most one run waits or is under way: missed ticks become one, whose instant is the first of them. The key is
    /// the schedule's name.
    case coalesce
    /// Every tick has its run, also several at the same time. The key is the schedule's name, `@`, and the tick in
    /// nanoseconds.
    case catchUp
  }

  private struct Entry: Sendable {
    let name: String
    let expression: CronExpression
    let kind: String
    let payload: [UInt8]
    let missed: Missed

    var timerKind: String { "schedule/" + name }
    /// Kept with the schedule's timer: another one means that the schedule has changed.
    var definition: [UInt8] { Array("\(expression.zone.name) \(expression)".utf8) }
  }

  private let timers: Timers
  private let entries = Locked<[Entry]>([])

  /// Missed ticks that are caught up with one transaction.
  static let caughtUpAtOnce = 64

  public init(timers: Timers) {
    self.timers = timers
  }

  /// Declares a schedule. Before the timers are started; each node that declares it may take its ticks.
  /// - Parameters:
  ///   - name: unique among schedules.
  ///   - kind: of the timer or job that each tick sets. Its `scheduledFor` is the tick.
  public func add(
    _ name: String, _ expression: CronExpression, sets kind: String, payload: [UInt8] = [],
    missed: Missed = .coalesce
  ) {
    let entry = Entry(name: name, expression: expression, kind: kind, payload: payload, missed: missed)
    entries.withLock { $0.append(entry) }
    var policy = RetryPolicy()
    // The tick's own transaction fails with the database only, so a schedule never dies.
    policy.attempts = .max
    timers.handle(entry.timerKind, policy: policy, atOnce: 1) { [timers] writer, timer in
      try Self.tick(entry, timer, timers, writer)
    }
  }

  /// Makes the declared schedules known to the database: a new one begins with its first tick from now, a changed one
  /// likewise, and one that is there already goes on with the tick it waits for.
  public func start() async throws {
    for entry in entries.withLock({ $0 }) {
      try await timers.database.write { [timers] writer in
        let known: [UInt8]? = try writer.firstForUpdate(
          "SELECT payload FROM octet_timers WHERE kind = $1 AND key = ''", entry.timerKind
        ) { $0[0] }
        guard let next = entry.expression.next(after: timers.clock.now()) else { return }
        if known == nil {
          try timers.setIfAbsent(entry.timerKind, key: "", due: next, payload: entry.definition, in: writer)
        } else if known != entry.definition {
          try timers.set(entry.timerKind, key: "", due: next, payload: entry.definition, in: writer)
        }
      }
    }
  }

  private static func tick(_ entry: Entry, _ timer: DueTimer, _ timers: Timers, _ writer: any Writer) throws {
    let now = timers.clock.now()
    var next: Instant? = timer.scheduledFor
    switch entry.missed {
    case .coalesce:
      try timers.setIfAbsent(
        entry.kind, key: entry.name, due: timer.scheduledFor, payload: entry.payload, in: writer)
      next = entry.expression.next(after: max(now, timer.scheduledFor))
    case .catchUp:
      for _ in 0..<caughtUpAtOnce {
        guard let tick = next, tick <= now else { break }
        try timers.set(
          entry.kind, key: "\(entry.name)@\(tick.nanoseconds)", due: tick, payload: entry.payload, in: writer)
        next = entry.expression.next(after: tick)
      }
    }
    guard let next else { return }
    try timers.set(entry.timerKind, key: "", due: next, payload: timer.payload, in: writer)
  }
}
