import Base
import DomainKit
import NotifyAPI
import Storage
import Testing

@testable import Notify

@Suite struct BroadcastTests {
  /// Invariant 7.
  @Test func `each part asks who may see the thing by then, and nobody is told any more once it is gone`() async throws
  {
    var limits = NotifyLimits()
    limits.toldAtOnce = 2
    let world = try await NotifyWorld.open(limits: limits)
    let users = (0..<8).map { _ in world.user([:]) }
    let exhibits = Exhibits()
    world.kit.subjects.register([exhibits])
    let parts = Parts(users) { part in
      switch part {
      case 1: exhibits.show(to: [users[3]])
      case 2: exhibits.remove()
      default: break
      }
    }
    world.notify.register(audiences: [parts])
    let notices = world.notify.notices
    try await world.database.write { writer in
      try notices.notify(
        Audience(parts.name), DomainKit.Notice(NotifyWorld.quiet, key: "new", about: Exhibits.only), in: writer)
    }
    try await world.timers.runDue()
    var told: [Identifier] = []
    for user in users where try await !world.inbox(user).notices.isEmpty { told.append(user) }
    #expect(told == [users[0], users[1], users[3]])
    #expect(parts.asked == [0, 1, 2])
    #expect(try await world.count("SELECT COUNT(*) FROM notify_broadcasts WHERE ended_at IS NULL") == 0)
    await world.close()
  }
}

/// One thing of another domain, which everybody sees at first.
private final class Exhibits: SubjectKind {
  static let only = SubjectID("exhibit", Identifier(rawValue: 1))

  private enum Sight {
    case everybody
    case some(Set<Identifier>)
    case gone
  }

  let prefix = Exhibits.only.kind
  private let sight = Locked(Sight.everybody)

  func show(to users: Set<Identifier>) { sight.withLock { $0 = .some(users) } }

  func remove() { sight.withLock { $0 = .gone } }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    if case .gone = sight.withLock({ $0 }) { nil } else { SubjectFacts(owner: nil) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    switch sight.withLock({ $0 }) {
    case .everybody: true
    case .some(let users): caller.map { users.contains($0.user) } ?? false
    case .gone: false
    }
  }
}

/// Some users, two at a time; a test changes something before each part.
private final class Parts: AudienceSource {
  let name = "test.parts"
  private let users: [Identifier]
  private let willAsk: @Sendable (Int) -> Void
  private let parts = Locked<Set<Int>>([])

  init(_ users: [Identifier], willAsk: @escaping @Sendable (Int) -> Void) {
    (self.users, self.willAsk) = (users, willAsk)
  }

  /// The parts that were asked for; a transaction may be run again.
  var asked: Set<Int> { parts.withLock { $0 } }

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    let rest = users.filter { user in after.map { $0 < user } ?? true }
    let part = (users.count - rest.count) / limit
    _ = parts.withLock { $0.insert(part) }
    willAsk(part)
    return Array(rest.prefix(limit))
  }
}
