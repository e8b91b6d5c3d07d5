import Base
import DomainKit
import RPC
import SearchAPI
import SocialAPI
import Storage
import Testing

@testable import Social

/// What people have said, found by its words.
@Suite struct FindingTests {
  /// Also invariant 12 of video: from the same commit.
  @Test func `invariants 7 and 11: comments, reviews and answers are found by those who may see their thing`()
    async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let eve = try await world.user("eve")
    let thing = try await world.thing(of: ada)
    try await world.index()
    let comment = try await bob.comment("a heron in the reeds", on: thing)
    let stay = try await world.stay(of: bob, at: thing)
    let review = try await bob.review(thing, over: stay, 9, "quiet, and a heron")
    #expect(try await eve.found("heron").ids == [comment.id])
    // The other side writes: the review is seen, and with it its answer.
    try await ada.review("guest" + bob.text.dropFirst(4), over: stay, 5, "tidy")
    try await ada.answer(review, "the heron thanks you")
    try await world.index()
    #expect(try await eve.found("heron").ids.count == 3)
    #expect(try await eve.found("heron", "about/thing").counts == [2])
    #expect(try await world.stranger().found("heron").ids.count == 3)

    try await world.hide(thing)
    // From the commit on, though the index follows in transactions of its own.
    #expect(try await eve.found("heron").ids.isEmpty)
    #expect(try await world.notFoundRightly().isEmpty)
    try await world.index()
    #expect(try await eve.found("heron", "about/thing").counts == [0])
    #expect(try await world.notFoundRightly().isEmpty)
    try await ada.comment("the heron is mine alone", on: thing)
    #expect(try await ada.found("heron").ids.isEmpty)

    try await world.hide(thing, false)
    try await world.index()
    #expect(try await eve.found("heron").ids.count == 4)
    // Who has blocked an author finds nothing of the author's, nor what hangs on it.
    try await eve.block(bob.text)
    #expect(try await eve.found("heron").ids.count == 1)
    #expect(try await world.notFoundRightly().isEmpty)
    await world.close()
  }

  @Test func `what is edited, deleted, held or erased is found no more, and nothing of its words is left`() async throws
  {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    try await world.index()
    let first = try await bob.comment("an osprey", on: thing)
    let second = try await bob.comment("another osprey", on: thing)
    try await bob.comment("a third osprey", on: thing)
    try await bob.comment("the osprey is a fucking asshole", on: thing)
    #expect(try await ada.found("osprey").ids.count == 3)
    try await bob.edit(first, "a buzzard")
    try await bob.delete(second)
    #expect(try await ada.found("osprey").ids.count == 1)
    #expect(try await ada.found("buzzard").ids == [first.id])
    try await world.erase(bob)
    #expect(try await ada.found("osprey").ids.isEmpty)
    let isLeft = try await world.database.read { reader in
      try reader.exists("SELECT 1 FROM search_rows WHERE kind = 'cmt' OR summary LIKE '%osprey%'")
    }
    #expect(!isLeft)
    #expect(try await world.notFoundRightly().isEmpty)
    await world.close()
  }

  @Test func `what was written by what could be seen before follows at a second look, some at a time`() async throws {
    var limits = SocialLimits()
    limits.openedAtOnce = 2
    let world = try await World.open(limits: limits)
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    let thing = try await world.thing(of: ada)
    try await world.index()
    for number in 0..<5 { try await bob.comment("wagtail \(number)", on: thing) }
    try await world.hide(thing)
    try await world.index()
    // As one does that has begun before and ends now.
    let late = world.kit.identifiers.next()
    let (kit, subject) = (world.kit, try world.kit.subjects.parse(thing, field: ""))
    try await world.database.write { writer in
      let row = CommentRow(
        on: subject, below: nil, id: late, by: bob.id, text: "late wagtail", state: .visible, score: 0,
        at: kit.clock.now())
      try row.insert(isOpen: true, in: writer)
      try kit.findables.update(row.asSubject, in: writer)
    }
    #expect(try await bob.found("wagtail", "about/thing").counts == [1])
    try await world.advance(by: .seconds(60))
    try await world.index()
    #expect(try await bob.found("wagtail", "about/thing").counts == [0])
    await world.close()
  }
}

extension Somebody {
  fileprivate func found(_ text: String, _ tags: String...) async throws -> (ids: Set<String>, counts: [Int64]) {
    var request = SearchRequest()
    request.text = text
    request.countedTags = tags
    let response = try await SearchServiceClient(channel).search(request)
    return (Set(response.hits.map(\.subjectID)), response.counts.map(\.count))
  }
}

extension World {
  /// What the index has and the rows have not, and the other way round.
  fileprivate func notFoundRightly() async throws -> [InvariantCheck] {
    try await search.checkInvariants().filter { !$0.holds }
  }
}
