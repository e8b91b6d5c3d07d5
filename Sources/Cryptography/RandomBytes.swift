public import Base
internal import CSodium

/// Random bytes that nobody can foresee.
public struct RandomBytes: RandomSource {
  public init() {
    Sodium.prepare()
  }

  public func next() -> UInt64 {
    var word: UInt64 = 0
    randombytes_buf(&word, MemoryLayout<UInt64>.size)
    return word
  }

  /// `count` random bytes.
  public static func make(_ count: Int) -> [UInt8] {
    Sodium.prepare()
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress { randombytes_buf(base, count) }
      initialized = count
    }
  }
}
