import Base
import Cryptography
import DomainKit
import Storage

/// Lets everybody in until their session ends, and knows roles and devices that a test gives. A user's session has the
/// user's own number.
final class Doors: Authority, People, Contacts {
  private struct State {
    var ended: Set<Identifier> = []
    var roles: [Identifier: [String]] = [:]
    var devices: [Identifier: DeviceHash] = [:]
    var leaving: Set<Identifier> = []
  }

  private let state = Locked(State())

  func end(_ session: Identifier) { _ = state.withLock { $0.ended.insert(session) } }

  func give(_ role: String, to user: Identifier) { state.withLock { $0.roles[user, default: []].append(role) } }

  func take(_ role: String, from user: Identifier) { state.withLock { $0.roles[user]?.removeAll { $0 == role } } }

  func put(_ user: Identifier, on device: DeviceHash) { state.withLock { $0.devices[user] = device } }

  /// A user's erasure begins.
  func leave(_ user: Identifier) { _ = state.withLock { $0.leaving.insert(user) } }

  func isLeaving(_ user: Identifier, in reader: any Reader) throws -> Bool {
    state.withLock { $0.leaving.contains(user) }
  }

  func hasEnded(_ session: Identifier) -> Bool { state.withLock { $0.ended.contains(session) } }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(of: user) }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(of: user) }

  private func roles(of user: Identifier) -> RoleSet {
    state.withLock { RoleSet(($0.roles[user] ?? []).map { RoleGrant(role: $0) }) }
  }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    if hasEnded(caller.session) { throw KitError.sessionEnded }
    return Standing(provedAt: Instant(seconds: 0))
  }

  func user(handle: String, in reader: any Reader) throws -> Identifier? { nil }

  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences { PersonalPreferences() }

  func person(_ user: Identifier, in reader: any Reader) throws -> Person? {
    Person(user: user, handle: "user\(user.rawValue)", displayName: "User \(user.rawValue)")
  }

  func device(of caller: Caller, in reader: any Reader) throws -> DeviceHash? {
    state.withLock { $0.devices[caller.user] }
  }

  func devices(of user: Identifier, in reader: any Reader) throws -> [DeviceHash] {
    state.withLock { $0.devices[user].map { [$0] } ?? [] }
  }

  func grant(
    _ role: String, to user: Identifier, on resource: SubjectID?, until expiresAt: Instant?, in writer: any Writer
  ) throws {
    give(role, to: user)
  }

  func revoke(_ role: String, from user: Identifier, on resource: SubjectID?, in writer: any Writer) throws {
    take(role, from: user)
  }

  func provedContacts(of user: Identifier, in reader: any Reader) throws -> Set<ContactKind> { [] }

  func contact(_ kind: ContactKind, of user: Identifier, in reader: any Reader) throws -> String? { nil }

  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey? { nil }
}
