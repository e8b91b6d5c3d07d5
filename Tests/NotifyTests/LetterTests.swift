import Base
import DomainKit
import Foundation
import NotifyAPI
import RPC
import Storage
import Testing

@testable import Notify

/// Letters whose words are stored nowhere.
@Suite struct LetterTests {
  /// A source whose rows are in memory: what is wanted, by key.
  private final class Secrets: LetterSource {
    static let kind = NoticeKind(
      "test.secret", .security, ways: [], values: ["word": .text], words: ["en": NoticeWords("Secret", "It is {word}.")]
    )

    let name = "test.secrets"
    private let words = Locked([String: String]())

    func set(_ key: String, _ word: String?) { words.withLock { $0[key] = word } }

    func letter(_ key: String, in reader: any Reader) throws -> UnstoredLetter? {
      words.withLock { $0[key] }.map { word in
        UnstoredLetter(
          Self.kind, id: "secret_\(key)", by: key.hasPrefix("sms") ? .phone : .email, to: "ada@example.org",
          language: "de-AT", ["word": .text(word)])
      }
    }
  }

  private func world(_ answers: [SendOutcome]? = nil) async throws -> (NotifyWorld, Secrets, ScriptedOutbound?) {
    let outbound = answers.map { ScriptedOutbound($0) }
    let world = try await NotifyWorld.open(outbound: outbound)
    let secrets = Secrets()
    world.notify.register(letters: [secrets])
    return (world, secrets, outbound)
  }

  private func post(_ world: NotifyWorld, _ key: String, by kind: ContactKind = .email) async throws {
    let post = LetterPost(timers: world.timers, clock: world.clock)
    try await world.database.write { try post.send(LetterID("test.secrets", key: key), by: kind, in: $0) }
  }

  @Test func `a letter that commits goes out, in words that are made when it goes`() async throws {
    let (world, secrets, _) = try await world()
    secrets.set("1", "xylophone")
    secrets.set("sms", "marimba")
    try await post(world, "1")
    try await post(world, "sms", by: .phone)
    try await post(world, "unwanted")
    struct Rollback: Error {}
    let letters = LetterPost(timers: world.timers, clock: world.clock)
    await #expect(throws: Rollback.self) {
      try await world.database.write { writer in
        try letters.send(LetterID("test.secrets", key: "2"), by: .email, in: writer)
        throw Rollback()
      }
    }
    secrets.set("2", "never")
    try await world.timers.runDue()
    let sent = try world.letters()
    #expect(Set(sent.keys) == ["secret_1.mail.json", "secret_sms.sms.json"])
    let letter = try #require(sent["secret_1.mail.json"])
    #expect(letter.text == "It is xylophone." && letter.title == "Secret" && letter.kind == "test.secret")
    #expect(letter.unsubscribeToken == nil && letter.object == nil && letter.address == "ada@example.org")
    await world.close()
  }

  @Test func `what is not taken is sent again under its key, until nobody needs it`() async throws {
    let (world, secrets, outbound) = try await world(Array(repeating: .retry("no answer"), count: 4))
    let longestWait = NotifyLimits().longestLetterWait * 6 / 5
    secrets.set("1", "xylophone")
    try await post(world, "1")
    try await world.timers.runDue()
    for _ in 0..<4 { try await world.advance(by: longestWait) }
    #expect(outbound?.sent.count == 5 && Set(outbound?.sent.map(\.key) ?? []) == ["secret_1.mail"])
    // The fifth was taken.
    try await world.advance(by: .seconds(3600))
    #expect(outbound?.sent.count == 5)

    let (other, wanted, silent) = try await self.world(Array(repeating: .retry("no answer"), count: 99))
    wanted.set("1", "xylophone")
    try await post(other, "1")
    try await other.timers.runDue()
    wanted.set("1", nil)
    try await other.advance(by: longestWait)
    try await other.advance(by: .seconds(3600))
    #expect(silent?.sent.count == 1)
    await world.close()
    await other.close()
  }

  @Test func `what is refused is not sent again`() async throws {
    let (world, secrets, outbound) = try await world([.refused("no such mailbox"), .gone("no such domain")])
    for key in ["1", "2"] {
      secrets.set(key, "xylophone")
      try await post(world, key)
    }
    try await world.timers.runDue()
    try await world.advance(by: .seconds(3600))
    #expect(outbound?.sent.count == 2)
    await world.close()
  }

  @Test func `a worker that died after sending sends the same letter again, into the same file`() async throws {
    let (world, secrets, _) = try await world()
    secrets.set("1", "xylophone")
    try await post(world, "1")
    try await world.timers.runDue()
    let before = try world.letters()
    // As if the process had died between the file and the commit.
    try await post(world, "1")
    try await world.timers.runDue()
    #expect(try world.letters() == before && before.count == 1)
    await world.close()
  }
}
