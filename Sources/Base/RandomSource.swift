/// Where all code takes random bits from. Injected, so that a test can replay a run from its seed.
public protocol RandomSource: Sendable {
  /// 64 uniformly distributed bits.
  func next() -> UInt64
}

/// The operating system's cryptographic generator.
public struct SystemRandomSource: RandomSource {
  public init() {}

  public func next() -> UInt64 {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014): repeatable, for tests
/// and simulation, never for secrets. Safe to share between threads.
public final class SeededRandomSource: RandomSource {
  private let state: Locked<UInt64>

  public init(seed: UInt64) {
    state = Locked(seed)
  }

  public func next() -> UInt64 {
    state.withLock { state in
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
  }
}

extension RandomSource {
  /// `count` random bytes.
  public func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      var word = next()
      for _ in 0..<min(8, count - bytes.count) {
        bytes.append(UInt8(truncatingIfNeeded: word))
        word >>= 8
      }
    }
    return bytes
  }

  /// A uniform number below `bound`, without modulo bias. `bound` must not be 0.
  public func below(_ bound: UInt64) -> UInt64 {
    precondition(bound > 0, "an empty range has no random element")
    while true {
      let (high, low) = next().multipliedFullWidth(by: bound)
      if low >= (0 &- bound) % bound { return high }
    }
  }

  /// `duration` give or take a fifth, so that those who wait for the same thing do not come in step.
  public func jittered(_ duration: Duration) -> Duration {
    let nanoseconds = max(duration.inNanoseconds, 0)
    let fifth = nanoseconds / 5
    return .nanoseconds(nanoseconds - fifth) + .nanoseconds(Int64(below(UInt64(fifth) * 2 + 1)))
  }
}
