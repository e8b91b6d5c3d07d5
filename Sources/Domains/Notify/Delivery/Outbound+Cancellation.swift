import Base
import DomainKit

extension Outbound {
  /// Sends a letter, but waits no longer once the worker is to end: a server that keeps silent must not hold up the end of
  /// this one. The letter comes again then, under its key.
  /// - Throws: `CancellationError`.
  func sendUnlessCancelled(_ letter: OutboundLetter) async throws -> SendOutcome {
    let outcome = Locked<SendOutcome?>(nil)
    let spot = ParkingSpot()
    Task {
      let result = await send(letter)
      outcome.withLock { $0 = result }
      spot.unpark()
    }
    while true {
      if let result = outcome.withLock({ $0 }) { return result }
      try await spot.park()
    }
  }
}
