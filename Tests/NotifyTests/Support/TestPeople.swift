import Base
import Cryptography
import DomainKit
import Storage

/// Users as a test makes them, each with a key of their own. Stands in for the identity domain, which notify may not
/// import.
final class TestPeople: Authority, People, Contacts, AudienceSource {
  private struct State {
    var contacts: [Identifier: [ContactKind: String]] = [:]
    var keys: [Identifier: SealingKey] = [:]
    var roles: [Identifier: [String]] = [:]
    var preferences: [Identifier: PersonalPreferences] = [:]
  }

  private let state = Locked(State())
  let name = Audience.everybody.source

  func add(_ user: Identifier, _ contacts: [ContactKind: String]) {
    guard let key = try? SealingKey(.random()) else { return }
    state.withLock { state in
      state.contacts[user] = contacts
      state.keys[user] = key
    }
  }

  func give(_ role: String, to user: Identifier) { state.withLock { $0.roles[user, default: []].append(role) } }

  func move(_ user: Identifier, to zone: String) {
    state.withLock { $0.preferences[user, default: PersonalPreferences()].timeZone = zone }
  }

  func teach(_ user: Identifier, _ language: String) {
    state.withLock { $0.preferences[user, default: PersonalPreferences()].language = language }
  }

  /// Takes all contacts and the key away, as erasing does.
  func erase(_ user: Identifier) {
    state.withLock { state in
      state.contacts[user] = nil
      state.keys[user] = nil
    }
  }

  // MARK: Authority, People

  func hasEnded(_ session: Identifier) -> Bool { false }

  func roles(of user: Identifier, epoch: Int64) async throws -> RoleSet { roles(of: user) }

  func roles(of user: Identifier, in reader: any Reader) throws -> RoleSet { roles(of: user) }

  private func roles(of user: Identifier) -> RoleSet {
    state.withLock { RoleSet(($0.roles[user] ?? []).map { RoleGrant(role: $0) }) }
  }

  func confirm(_ caller: Caller, in writer: any Writer) throws -> Standing { Standing(provedAt: Instant(seconds: 0)) }

  func person(_ user: Identifier, in reader: any Reader) throws -> Person? {
    state.withLock { $0.keys[user] == nil ? nil : Person(user: user, handle: "somebody", displayName: "Somebody") }
  }

  func isLeaving(_ user: Identifier, in reader: any Reader) throws -> Bool { state.withLock { $0.keys[user] == nil } }

  func user(handle: String, in reader: any Reader) throws -> Identifier? { nil }

  func preferences(of user: Identifier, in reader: any Reader) throws -> PersonalPreferences {
    state.withLock { $0.preferences[user] ?? PersonalPreferences() }
  }

  func grant(
    _ role: String, to user: Identifier, on resource: SubjectID?, until expiresAt: Instant?, in writer: any Writer
  ) throws {}

  func revoke(_ role: String, from user: Identifier, on resource: SubjectID?, in writer: any Writer) throws {}

  // MARK: Contacts, AudienceSource

  func provedContacts(of user: Identifier, in reader: any Reader) throws -> Set<ContactKind> {
    state.withLock { Set($0.contacts[user]?.keys.map { $0 } ?? []) }
  }

  func contact(_ kind: ContactKind, of user: Identifier, in reader: any Reader) throws -> String? {
    state.withLock { $0.contacts[user]?[kind] }
  }

  func owner(of address: ContactAddress, in reader: any Reader) throws -> Identifier? {
    state.withLock { $0.contacts.first { $0.value[address.kind] == address.text }?.key }
  }

  func sealingKey(of user: Identifier, in reader: any Reader) throws -> SealingKey? {
    state.withLock { $0.keys[user] }
  }

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    let users = state.withLock { $0.keys.keys.sorted() }
    return Array(users.filter { user in after.map { $0 < user } ?? true }.prefix(limit))
  }
}

/// A way out that answers as a test says, and keeps what it was given.
final class ScriptedOutbound: Outbound {
  private struct State {
    var answers: [SendOutcome] = []
    var sent: [OutboundLetter] = []
    var during: [Int: @Sendable () -> Void] = [:]
  }

  private let state = Locked(State())

  /// - Parameter answers: one for each letter; accepted when they are used up.
  init(_ answers: [SendOutcome] = []) { state.withLock { $0.answers = answers } }

  var sent: [OutboundLetter] { state.withLock { $0.sent } }

  /// Has something happen while the letter of this number is on its way, the first being 1.
  func during(letter number: Int, _ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.during[number] = body }
  }

  func accepts(_ address: String) -> Bool { address.hasPrefix("https://push.example/") }

  func send(_ letter: OutboundLetter) async -> SendOutcome {
    let (answer, body) = state.withLock { state in
      state.sent.append(letter)
      let answer = state.answers.isEmpty ? SendOutcome.accepted : state.answers.removeFirst()
      return (answer, state.during[state.sent.count])
    }
    body?()
    return answer
  }

  func close() async {}
}
