internal import CLinux

/// Where all code takes the time from. Injected, so that tests decide what time it is.
public protocol WallClock: Sendable {
  /// The present instant.
  func now() -> Instant
}

/// The operating system's real-time clock.
public struct SystemClock: WallClock {
  public init() {}

  public func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}

/// A clock that stands still until it is told otherwise. Safe to share between threads.
public final class ManualClock: WallClock {
  private let instant: Locked<Instant>

  /// Starts at `instant`, by default 2026-01-01T00:00:00Z.
  public init(_ instant: Instant = Instant(seconds: 1_767_225_600)) {
    self.instant = Locked(instant)
  }

  public func now() -> Instant {
    instant.withLock { $0 }
  }

  /// Moves the clock forward (or back, for a negative duration).
  public func advance(by duration: Duration) {
    instant.withLock { $0 = $0 + duration }
  }
}
