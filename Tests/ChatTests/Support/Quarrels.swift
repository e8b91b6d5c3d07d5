import Base
import DomainKit
import Storage

/// Who has blocked or muted whom, who may not post, and what moderators have removed, as a test says.
final class Quarrels: Community {
  private struct State {
    var blocks: Set<[Identifier]> = []
    var mutes: Set<[Identifier]> = []
    var restrictions: [Identifier: Instant] = [:]
    var removed: Set<SubjectID> = []
  }

  private let state = Locked(State())

  func block(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.blocks.insert([user, other]) } }

  func mute(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.mutes.insert([user, other]) } }

  /// Everybody speaks with everybody again.
  func reconcile() { state.withLock { $0 = State() } }

  func restrict(_ user: Identifier, until: Instant) { state.withLock { $0.restrictions[user] = until } }

  /// Moderators decide so, whatever the thing's domain makes of it.
  func decide(_ measure: ModerationMeasure, on subject: SubjectID) {
    state.withLock { state in
      if measure == .remove { state.removed.insert(subject) } else { state.removed.remove(subject) }
    }
  }

  func isRemoved(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    state.withLock { $0.removed.contains(subject) }
  }

  func isBlocked(_ a: Identifier, _ b: Identifier, in reader: any Reader) throws -> Bool {
    state.withLock { $0.blocks.contains([a, b]) || $0.blocks.contains([b, a]) }
  }

  func hasMuted(_ user: Identifier, _ other: Identifier, in reader: any Reader) throws -> Bool {
    state.withLock { $0.mutes.contains([user, other]) }
  }

  func isFollowing(_ user: Identifier, _ subject: SubjectID, in reader: any Reader) throws -> Bool { false }

  func restriction(of user: Identifier, in reader: any Reader) throws -> Instant? {
    state.withLock { $0.restrictions[user] }
  }
}
