internal import Base
internal import Synchronization

/// Follows what this node does to the timers and jobs of one kind. Letting go of it ends it.
///
/// It says that something may have changed and not what: whoever follows looks at the rows. So it costs those who set and do
/// jobs next to nothing, unlike a topic, whose numbers one transaction after the other would have to take.
public final class TimerChanges: Sendable {
  fileprivate let spot = ParkingSpot()
  private let board: TimerChangeBoard
  private let kind: String

  fileprivate init(_ kind: String, _ board: TimerChangeBoard) {
    (self.kind, self.board) = (kind, board)
    board.add(spot, kind)
  }

  deinit { board.remove(spot, kind) }

  /// Waits until something has been committed since the last wait; or for `duration`, for what other nodes do. May return
  /// without cause. From one task at a time.
  /// - Throws: `CancellationError`.
  public func next(atMost duration: Duration) async throws { try await spot.park(atMost: duration) }
}

extension Timers {
  /// Begins to follow a kind. What commits before the first look at the rows is in them; what commits later is told.
  public func changes(of kind: String) -> TimerChanges { TimerChanges(kind, changeBoard) }
}

/// Who follows what. Safe to share between threads.
final class TimerChangeBoard: Sendable {
  private let followers = Locked<[String: [ParkingSpot]]>([:])
  /// Mostly nobody follows anything, and every transaction that sets a timer asks.
  private let hasFollowers = Atomic(false)

  /// Tells those who follow a kind, after the commit. From any thread.
  func note(_ kind: String) {
    guard hasFollowers.load(ordering: .acquiring) else { return }
    for spot in followers.withLock({ $0[kind] ?? [] }) { spot.unpark() }
  }

  fileprivate func add(_ spot: ParkingSpot, _ kind: String) {
    followers.withLock { followers in
      followers[kind, default: []].append(spot)
      hasFollowers.store(true, ordering: .releasing)
    }
  }

  fileprivate func remove(_ spot: ParkingSpot, _ kind: String) {
    followers.withLock { followers in
      followers[kind]?.removeAll { $0 === spot }
      if followers[kind]?.isEmpty == true { followers[kind] = nil }
      hasFollowers.store(!followers.isEmpty, ordering: .releasing)
    }
  }
}
