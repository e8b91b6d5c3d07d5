import Base
import DomainKit
import NotifyAPI
import RPC
import Storage
import Testing

@testable import Notify

/// Names of people in what others were told.
@Suite struct NameTests {
  private func follow(_ world: NotifyWorld, _ user: Identifier, by other: Identifier, _ name: String) async throws {
    let notices = world.notify.notices
    try await world.database.write { writer in
      try notices.notify(
        user,
        DomainKit.Notice(NotifyWorld.followed, key: "by \(other)", about: nil, ["who": .name(name, of: other)]),
        in: writer)
    }
  }

  /// All that the database holds of what somebody was told.
  private func stored(_ world: NotifyWorld) async throws -> String {
    try await world.database.read { reader in
      let texts: [String] = try reader.rows("SELECT title, text FROM notify_inbox") {
        ($0[0] as String) + ($0[1] as String)
      }
      let events: [[UInt8]] = try reader.rows("SELECT payload FROM octet_topic_events") { $0[0] }
      return texts.joined() + events.map { String(decoding: $0, as: UTF8.self) }.joined()
    }
  }

  @Test(arguments: [false, true])
  func `invariant 6: a name is in list, stream and mail, sealed where it is stored, and gone with its person`(
    toMany: Bool
  ) async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let other = world.user()
    let watch = world.client(user).watchInbox(WatchInboxRequest())
    guard case .snapshot = try await watch.responses.next()?.event else { throw Unexpected() }
    if toMany {
      let notices = world.notify.notices
      try await world.database.write { writer in
        try notices.notify(
          .everybody,
          DomainKit.Notice(NotifyWorld.followed, key: "all", about: nil, ["who": .name("Eve Miller", of: other)]),
          in: writer)
      }
      try await world.timers.runDue()
    } else {
      try await follow(world, user, by: other, "Eve Miller")
    }
    guard case .notice(let notice) = try await watch.responses.next()?.event else { throw Unexpected() }
    #expect(notice.title == "Eve Miller follows you" && notice.text == "Say hello to Eve Miller.")
    watch.cancel()
    #expect(try await world.inbox(user).notices.map(\.title) == ["Eve Miller follows you"])
    try await world.timers.runDue()
    let mail = try world.letters().values.first
    #expect(mail?.title == "Eve Miller follows you" && mail?.text == "Say hello to Eve Miller.")
    #expect(try await !stored(world).contains("Miller"))

    world.people.erase(other)
    #expect(try await world.inbox(user).notices.map(\.title) == ["… follows you"])
    let again = world.client(user).watchInbox(WatchInboxRequest())
    guard case .snapshot(let snapshot) = try await again.responses.next()?.event else { throw Unexpected() }
    #expect(snapshot.notices.map(\.text) == ["Say hello to …."])
    again.cancel()
    await world.close()
  }

  @Test func `who is gone already is told of without a name, and what somebody wrote opens nothing`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let other = world.user()
    world.people.erase(other)
    try await follow(world, user, by: other, "Eve")
    try await world.tell(user, key: "1", "\u{FFF9}AAAAAAAAAAAB\u{FFFB} and \u{FFF9}more")
    #expect(
      try await world.inbox(user).notices.map(\.text) == ["We sent … and more.", "Say hello to …."])
    await world.close()
  }

  @Test func `a text is cut as it is read, and a name is there as a whole or not at all`() throws {
    let words = NoticeWords("{a}{who}{a}", "{who}")
    let long = String(repeating: "x", count: NoticeWords.titleLimit - 3)
    for (name, title) in [("Eve", long + "[Eve]"), ("Evelyn", long)] {
      let values: [String: NoticeValue] = ["a": .text(long), "who": .name(name, of: Identifier(rawValue: 1))]
      let filled = words.filled(with: values) { value in
        guard case .name(let name, _) = value else { return nil }
        return "[\(name)]"
      }
      #expect(filled == NoticeWords(title, "[\(name)]"))
    }
    let clear = words.filled(with: ["a": .text(long), "who": .name("Evelyn", of: Identifier(rawValue: 1))])
    #expect(clear.title == long + "Eve")
  }
}
