import Base
import DomainKit
import Storage

/// Who has blocked or muted whom, and who may not post, as a test says.
final class Quarrels: Community {
  private struct State {
    var blocks: Set<[Identifier]> = []
    var mutes: Set<[Identifier]> = []
    var restrictions: [Identifier: Instant] = [:]
  }

  private let state = Locked(State())

  func block(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.blocks.insert([user, other]) } }

  func mute(_ user: Identifier, _ other: Identifier) { _ = state.withLock { $0.mutes.insert([user, other]) } }

  /// Everybody speaks with everybody again.
  func reconcile() { state.withLock { $0 = State() } }

  func restrict(_ user: Identifier, until: Instant) { state.withLock { $0.restrictions[user] = until } }

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
