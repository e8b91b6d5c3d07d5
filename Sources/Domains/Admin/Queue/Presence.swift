import Base
import DomainKit
import Storage

/// Which entries are followed here, and that this process is alive: written in lots, as it may be a second late without
/// harm.
///
/// Safe to share between threads, but there is one `write` at a time.
final class Presence: Sendable {
  struct Followed: Hashable {
    let event: Identifier
    let entry: Identifier
  }

  private struct State {
    /// How many streams each entry has.
    var streams: [Followed: Int] = [:]
    /// Those whose row says that this process follows them.
    var written: Set<Followed> = []
    /// When the last stream of an entry ended that has none now.
    var unseen: [Followed: Instant] = [:]
    var beatAt: Instant?
    /// When the database last answered.
    var answeredAt: Instant
    /// Since when it has answered without a long break.
    var isThereSince: Instant
  }

  private let process: Int64
  private let limits: QueueLimits
  private let state: Locked<State>

  /// - Parameters:
  ///   - random: makes the number by which this process is known; a restart is another process.
  ///   - now: whoever waited before that has as long from here on to come back as others to come again.
  init(random: any RandomSource, limits: QueueLimits, at now: Instant) {
    process = Int64(random.next() >> 1)
    self.limits = limits
    state = Locked(State(answeredAt: now, isThereSince: now))
  }

  /// Since when signs of life could be written: of nobody who was unseen before that is it known that they had gone.
  var isThereSince: Instant { state.withLock { $0.isThereSince } }

  /// To be called whenever the database has answered. If it had not for so long that other processes' signs of life are
  /// missing, too, all have their time anew.
  func answered(at now: Instant) {
    state.withLock { state in
      if now - state.answeredAt >= limits.longestSilence { state.isThereSince = now }
      state.answeredAt = max(now, state.answeredAt)
    }
  }

  func begin(_ followed: Followed) {
    state.withLock { state in
      state.streams[followed, default: 0] += 1
      state.unseen[followed] = nil
    }
  }

  func end(_ followed: Followed, at now: Instant) {
    state.withLock { state in
      guard let count = state.streams[followed] else { return }
      state.streams[followed] = count > 1 ? count - 1 : nil
      if count == 1 { state.unseen[followed] = now }
    }
  }

  /// Writes what has changed since the last time.
  /// - Throws: `StorageError`; what could not be written is written the next time.
  func write(to database: any Database, at now: Instant) async throws {
    try await beat(database, now)
    let (new, gone) = state.withLock { state in
      (Array(Set(state.streams.keys).subtracting(state.written)), Array(state.unseen))
    }
    let process = process
    for some in new.lots(of: limits.presencesAtOnce) {
      try await database.write { writer in
        for followed in some {
          try writer.execute(
            """
            INSERT INTO queue_presence (event_id, entry_id, process) VALUES ($1, $2, $3)
            ON CONFLICT (event_id, entry_id, process) DO UPDATE SET unseen_since = NULL
            """, followed.event, followed.entry, process)
        }
      }
      state.withLock { $0.written.formUnion(some) }
    }
    for some in gone.lots(of: limits.presencesAtOnce) {
      try await database.write { writer in
        for (followed, since) in some {
          try writer.execute(
            """
            INSERT INTO queue_presence (event_id, entry_id, process, unseen_since) VALUES ($1, $2, $3, $4)
            ON CONFLICT (event_id, entry_id, process) DO UPDATE SET unseen_since = excluded.unseen_since
            """, followed.event, followed.entry, process, since)
        }
      }
      state.withLock { state in
        for (followed, since) in some {
          state.written.remove(followed)
          if state.unseen[followed] == since { state.unseen[followed] = nil }
        }
      }
    }
  }

  /// Says that this process is alive, if anybody follows anything here.
  private func beat(_ database: any Database, _ now: Instant) async throws {
    let isDue = state.withLock { state in
      guard !state.streams.isEmpty || !state.unseen.isEmpty else { return false }
      return state.beatAt.map { now - $0 >= limits.beatInterval } ?? true
    }
    guard isDue else { return }
    let process = process
    try await database.write { writer in
      _ = try writer.execute(
        """
        INSERT INTO queue_processes (id, beat_at) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at
        """, process, now)
    }
    state.withLock { $0.beatAt = now }
    answered(at: now)
  }
}

extension Array {
  /// The elements in lots of `count`, the last of which may have fewer.
  fileprivate func lots(of count: Int) -> [[Element]] {
    stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
  }
}
