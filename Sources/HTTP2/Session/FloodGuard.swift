/// Two token buckets of a connection, for what costs us work and brings the peer nothing.
struct FloodGuard {
  private struct Bucket {
    let burst: Int64
    let perSecond: Int64
    var tokens: Int64

    mutating func refill(nanoseconds: Int64) {
      tokens = min(burst, tokens + min(nanoseconds, HTTP2Limits.longestFloodRefill) * perSecond / 1_000_000_000)
    }
  }

  private var resets: Bucket
  private var idleFrames: Bucket
  private var lastRefill: Int64
  private let now: () -> Int64

  /// - Parameter now: the monotonic clock in nanoseconds; asked only when a bucket is empty.
  init(limits: HTTP2Limits, now: @escaping () -> Int64) {
    resets = Bucket(
      burst: Int64(limits.resetBurst), perSecond: Int64(limits.resetsPerSecond), tokens: Int64(limits.resetBurst))
    idleFrames = Bucket(
      burst: Int64(limits.idleFrameBurst), perSecond: Int64(limits.idleFramesPerSecond),
      tokens: Int64(limits.idleFrameBurst))
    lastRefill = now()
    self.now = now
  }

  /// Whether a stream may end by a reset.
  mutating func admitsReset() -> Bool { take(\.resets) }

  /// Whether a frame may come that carries nothing forward.
  mutating func admitsIdleFrame() -> Bool { take(\.idleFrames) }

  private mutating func take(_ bucket: WritableKeyPath<FloodGuard, Bucket>) -> Bool {
    if self[keyPath: bucket].tokens == 0 {
      let time = now()
      if time - lastRefill >= HTTP2Limits.floodRefillInterval {
        resets.refill(nanoseconds: time - lastRefill)
        idleFrames.refill(nanoseconds: time - lastRefill)
        lastRefill = time
      }
    }
    guard self[keyPath: bucket].tokens > 0 else { return false }
    self[keyPath: bucket].tokens -= 1
    return true
  }
}
