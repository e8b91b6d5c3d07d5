import Base
import DomainKit

/// When it was last asked whether somebody who reads a blob may see it. A slow reader may be at one for hours.
struct LastSight: Sendable {
  private let core: MediaCore
  private var askedAt: Instant
  private var changes: UInt64

  /// Before the look.
  init(_ core: MediaCore) {
    self.core = core
    askedAt = core.now
    changes = core.kit.sights.changes
  }

  /// Whether it is to be asked again before more is sent: somebody may see less than before, or other nodes may have changed
  /// something.
  mutating func isOld() -> Bool {
    guard changes != core.kit.sights.changes || core.now - askedAt >= core.limits.sightInterval else { return false }
    self = LastSight(core)
    return true
  }
}
