import Base

/// The pauses of background loops, which end when a test says so. Each loop is known by the length of its pause.
final class Pacer: Sendable {
  private struct Spots {
    let begun = ParkingSpot()
    let mayEnd = ParkingSpot()
  }

  private let spots = Locked<[Duration: Spots]>([:])

  private func spots(_ duration: Duration) -> Spots {
    spots.withLock { spots in
      let found = spots[duration] ?? Spots()
      spots[duration] = found
      return found
    }
  }

  /// What a loop calls instead of sleeping.
  @Sendable func pause(_ duration: Duration) async throws {
    let spots = spots(duration)
    spots.begun.unpark()
    try await spots.mayEnd.park()
  }

  /// Waits until the loop pauses.
  func awaitPause(_ duration: Duration) async throws { try await spots(duration).begun.park() }

  /// Lets the loop do one round, and waits until it pauses again.
  func round(_ duration: Duration) async throws {
    spots(duration).mayEnd.unpark()
    try await awaitPause(duration)
  }
}
