import Base
import Cryptography
import DomainKit
import Storage

/// Knows sessions and roles from memory. A user's session has the user's own number.
final class Doors: Authority {
  private struct State {
    var ended: Set<Identifier> = []
    /// Ended in the rows, which memory has not heard of yet.
    var endedInRows: Set<Identifier> = []
    var roles: [Identifier: RoleSet] = [:]
    var rolesInRows: [Identifier: RoleSet] = [:]
    var remembersRoles = true
    var looksAtRows = 0
  }

  private let state = Locked(State())
  private let clock: any WallClock
  private let sealingKey: SealingKey

  init(clock: any WallClock) throws {
    self.clock = clock
    sealingKey = try SealingKey(.random())
  }

  /// Whether roles are known without waiting.
  var remembersRoles: Bool {
    get { state.withLock { $0.remembersRoles } }
    set { state.withLock { $0.remembersRoles = newValue } }
  }

  func end(_ session: Identifier) { _ = state.withLock { $0.ended.insert(session) } }

  func endInRows(_ session: Identifier) { _ = state.withLock { $0.endedInRows.insert(session) } }

  /// How often somebody asked what the rows say of roles.
  var looksAtRows: Int { state.withLock { $0.looksAtRows } }

  /// - Parameter inRows: what the rows say; nil for the same.
  func setRoles(_ user: Identifier, _ roles: RoleSet, inRows: RoleSet? = nil) {
    state.withLock { state in
      state.roles[user] = roles
      state.rolesInRows[user] = inRows ?? roles
    }
  }

  func hasEnded(_ session: Identifier) -> Bool { state.withLock { $0.ended.contains(session) } }

  func knownRoles(of user: Identifier, epoch: Int64) -> RoleSet? {
    state.withLock { $0.remembersRoles ? $0.roles[user]?.inForce(at: clock.now()) : nil }
  }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet {
    state.withLock { $0.roles[user] ?? RoleSet() }.inForce(at: clock.now())
  }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet {
    state.withLock { state in
      state.looksAtRows += 1
      return state.rolesInRows[user] ?? RoleSet()
    }
  }

  func sealingKey(of caller: Caller, in reader: any Reader) throws -> SealingKey? { sealingKey }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    let hasEnded = state.withLock { !$0.ended.union($0.endedInRows).isDisjoint(with: [caller.session]) }
    if hasEnded { throw KitError.sessionEnded }
    return Standing(provedAt: Instant(seconds: 0), sealingKey: sealingKey)
  }
}
