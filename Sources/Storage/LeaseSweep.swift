public import Base

/// Removes leases that ended long ago, so that things which come and go (a support room, a channel) leave no row behind.
///
/// It walks over all leases in the order of their names, by a reader's connection, so renewals pay for no index by time;
/// only a page with something to remove costs the writer time.
///
/// A fence never falls: a lease that is taken anew gets the clock's time as its fence, and a row goes only when its own
/// fence is as old as `settling`, too. So clocks of nodes may differ by up to that.
public final class LeaseSweep: Sweep {
  public let name = "leases"
  private let interval: Duration
  private let clock: any WallClock
  private let state: Locked<State>

  private struct State {
    /// The last lease that was looked at.
    var cursor = ""
    /// When the next walk begins.
    var nextWalk: Instant
  }

  /// How long a lease must have been over, and how old its fence must be.
  static let settling: Duration = .seconds(86_400)
  /// Leases that are looked at with one read, and removed with one transaction.
  static let page = 256

  /// - Parameter interval: between two walks over all leases.
  public init(interval: Duration = .seconds(3600), clock: any WallClock) {
    self.interval = interval
    self.clock = clock
    state = Locked(State(nextWalk: clock.now()))
  }

  private struct Found: Sendable {
    let name: String
    let isOver: Bool
  }

  public func step(_ database: any Database) async throws -> Bool {
    let now = clock.now()
    let (cursor, nextWalk) = state.withLock { ($0.cursor, $0.nextWalk) }
    guard now >= nextWalk else { return false }
    let latest = now - Self.settling
    let page: [Found] = try await database.read { reader in
      try reader.rows(
        "SELECT name, fence, expires_at FROM octet_leases WHERE name > $1 ORDER BY name LIMIT $2", cursor, Self.page
      ) { Found(name: $0[0], isOver: max($0[1] as Instant, $0[2]) <= latest) }
    }
    if let first = page.first(where: \.isOver), let last = page.last(where: \.isOver) {
      try await database.write { writer in
        // Looked at once more: one may have been taken meanwhile.
        try writer.send(
          "DELETE FROM octet_leases WHERE name >= $1 AND name <= $2 AND fence <= $3 AND expires_at <= $3", first.name,
          last.name, latest)
      }
    }
    state.withLock { state in
      if page.count == Self.page, let last = page.last {
        state.cursor = last.name
      } else {
        state.cursor = ""
        state.nextWalk = now + interval
      }
    }
    return page.count == Self.page
  }
}
