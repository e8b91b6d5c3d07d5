import Base
import Cryptography
import DomainKit
import Storage

/// Users whose sessions never end unless a test ends them, with the roles that a test gives them. Stands in for the
/// identity domain, which rides may not import.
final class TestPeople: Authority, People, Contacts {
  private struct State {
    var roles: [Identifier: [String]] = [:]
    var ended: Set<Identifier> = []
  }

  private let state = Locked(State())

  func give(_ role: String, to user: Identifier) {
    state.withLock { $0.roles[user, default: []].append(role) }
  }

  func end(_ session: Identifier) {
    state.withLock { _ = $0.ended.insert(session) }
  }

  func hasEnded(_ session: Identifier) -> Bool {
    state.withLock { $0.ended.contains(session) }
  }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(of: user) }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(of: user) }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing {
    if hasEnded(caller.session) { throw KitError.sessionEnded }
    return Standing(provedAt: Instant(seconds: 0))
  }

  func user(handle: String, in reader: any Reader) throws -> Identifier? { nil }

  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences { PersonalPreferences() }

  func person(_ user: Identifier, in reader: any Reader) throws -> Person? {
    Person(user: user, handle: user.text(kind: "user"), displayName: "User \(user.rawValue)")
  }

  func grant(
    _ role: String, to user: Identifier, on resource: SubjectID?, until expiresAt: Instant?, in writer: any Writer
  ) throws {
    give(role, to: user)
  }

  func revoke(_ role: String, from user: Identifier, on resource: SubjectID?, in writer: any Writer) throws {
    state.withLock { $0.roles[user]?.removeAll { $0 == role } }
  }

  private func roles(of user: Identifier) -> RoleSet {
    state.withLock { RoleSet(($0.roles[user] ?? []).map { RoleGrant(role: $0) }) }
  }
}

extension TestPeople {
  func provedContacts(of user: Identifier, in reader: any Reader) throws -> Set<ContactKind> { [] }

  func contact(_ kind: ContactKind, of user: Identifier, in reader: any Reader) throws -> String? { nil }

  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey? { nil }
}

/// Nobody in these tests can be reached but by the inbox.
struct NoWay: Outbound {
  func accepts(_ address: String) -> Bool { false }

  func send(_ letter: OutboundLetter) async -> SendOutcome { .refused("there is no way") }

  func close() async {}
}
