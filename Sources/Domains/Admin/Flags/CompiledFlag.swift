import AdminAPI
import Base
import Cryptography
import DomainKit

/// A flag as it was put, ready to be asked.
struct CompiledFlag: Sendable {
  /// An exception; what it does not name is nil.
  struct Rule: Sendable {
    let users: Set<Identifier>?
    let role: String?
    let region: String?
    /// Of 10,000.
    let share: Int64?
    let value: TypedValue
  }

  /// A share is counted in so many parts.
  static let shares: UInt64 = 10_000

  let name: String
  let version: Int64
  private let value: TypedValue?
  private let rules: [Rule]

  /// - Parameter content: checked when it was put. What a later version of the program cannot read says nothing.
  init(name: String, version: Int64, content: AdminAPI.Flag) {
    self.name = name
    self.version = version
    value = content.value?.typed
    rules = content.rules.compactMap(Rule.init)
  }

  /// Whether it is something else in some country.
  var namesRegions: Bool { rules.contains { $0.region != nil } }

  /// What was put for somebody; nil for the default.
  func value(for subject: FlagSubject) -> TypedValue? {
    rules.first { matches($0, subject) }?.value ?? value
  }

  private func matches(_ rule: Rule, _ subject: FlagSubject) -> Bool {
    if let users = rule.users {
      guard let user = subject.user, users.contains(user) else { return false }
    }
    if let role = rule.role, !subject.roles.holds(role) { return false }
    if let region = rule.region, region != subject.region { return false }
    if let share = rule.share {
      guard let user = subject.user, Self.place(of: user, flag: name) < share else { return false }
    }
    return true
  }

  /// Where a user stands among all users of a flag, 0 to 9,999: a hash, so that each flag takes others first.
  static func place(of user: Identifier, flag: String) -> Int64 {
    let hash = Hash.blake2b(Array(flag.utf8) + [0] + user.rawValue.bigEndianBytes, length: 16)
    return Int64(UInt64(bitPattern: Int64(bigEndian: hash[..<8])).multipliedFullWidth(by: shares).high)
  }
}

extension CompiledFlag.Rule {
  /// Nil for a rule without a value, or one that names what is no id: half a rule would match too many.
  init?(_ rule: FlagRule) {
    guard let value = rule.value?.typed else { return nil }
    let users = rule.userIds.compactMap { try? Identifier.parse($0, kind: "user") }
    guard users.count == rule.userIds.count else { return nil }
    self.users = users.isEmpty ? nil : Set(users)
    role = rule.role.isEmpty ? nil : rule.role
    region = rule.regionCode.isEmpty ? nil : rule.regionCode
    share = rule.shareBp.map { Int64($0) }
    self.value = value
  }
}
