import RPC
import Refusals
import SocialAPI
import Testing

@testable import Social

/// Lists have further pages: all of it, nothing twice, in one order.
@Suite struct PageTests {
  /// A page of a list: the ids of what is on it, and the token of the next one.
  private typealias Page = @Sendable (_ size: Int32, _ token: String) async throws -> (ids: [String], next: String)

  private func expect(_ list: String, of count: Int, _ page: Page) async throws {
    let whole = try await page(0, "")
    #expect(whole.ids.count == count && Set(whole.ids).count == count && whole.next.isEmpty, "\(list)")
    var (found, token): ([[String]], String) = ([], "")
    repeat {
      let next = try await page(2, token)
      found.append(next.ids)
      token = next.next
    } while !token.isEmpty && found.count <= count
    #expect(
      found.map(\.count) == Array(repeating: 2, count: count / 2) + (count.isMultiple(of: 2) ? [] : [1]), "\(list)")
    #expect(found.flatMap { $0 } == whole.ids, "\(list)")
  }

  @Test func `what somebody has done to things is listed page by page`() async throws {
    let world = try await World.open()
    let (ada, bob) = (try await world.user("ada"), try await world.user("bob"))
    for _ in 0..<5 {
      let thing = try await world.thing(of: ada)
      try await bob.react(.like, to: thing)
      try await bob.follow(thing)
      try await bob.share(thing)
      try await bob.report(thing)
    }
    for number in 0..<5 { try await bob.block(world.user("user\(number)").text) }
    try await expect("ListReactions", of: 5) { size, token in
      var request = ListReactionsRequest()
      (request.userID, request.kind) = (bob.text, .like)
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await bob.reactions.listReactions(request)
      return (page.reactions.map(\.subjectID), page.nextPageToken)
    }
    try await expect("ListFollowing", of: 5) { size, token in
      var request = ListFollowingRequest()
      (request.userID, request.pageSize, request.pageToken) = (bob.text, size, token)
      let page = try await bob.follows.listFollowing(request)
      return (page.follows.map(\.targetID), page.nextPageToken)
    }
    try await expect("ListShareLinks", of: 5) { size, token in
      var request = ListShareLinksRequest()
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await bob.shares.listShareLinks(request)
      return (page.links.map(\.id), page.nextPageToken)
    }
    try await expect("ListMyCases", of: 5) { size, token in
      var request = ListMyCasesRequest()
      (request.pageSize, request.pageToken) = (size, token)
      let page = try await bob.moderation.listMyCases(request)
      return (page.cases.map(\.id), page.nextPageToken)
    }
    try await expect("ListRelations", of: 5) { size, token in
      var request = ListRelationsRequest()
      (request.kind, request.pageSize, request.pageToken) = (.blocked, size, token)
      let page = try await bob.follows.listRelations(request)
      return (page.relations.compactMap(\.member?.userID), page.nextPageToken)
    }
    await world.close()
  }

  @Test func `reviews, and what was decided about somebody's things, are listed page by page`() async throws {
    let world = try await World.open()
    let (ada, moe) = (try await world.user("ada"), try await world.user("moe_", roles: ["moderator"]))
    let thing = try await world.thing(of: ada)
    for number in 0..<5 {
      let guest = try await world.user("user\(number)")
      let stay = try await world.stay(of: guest, at: thing)
      try await guest.review(thing, over: stay, 7)
      try await ada.review("guest" + guest.text.dropFirst(4), over: stay, 5)
      let report = try await guest.report(thing)
      try await moe.decide(report.id, .act, .warn)
    }
    try await expect("ListReviews", of: 5) { size, token in
      var request = ListReviewsRequest()
      (request.subjectID, request.pageSize, request.pageToken) = (thing, size, token)
      let page = try await ReviewServiceClient(ada.channel).listReviews(request)
      #expect(page.reviewCount == 5 && page.scoreSum == 35)
      return (page.reviews.map(\.id), page.nextPageToken)
    }
    try await expect("ListMyCases", of: 5) { size, token in
      var request = ListMyCasesRequest()
      (request.aboutMe, request.pageSize, request.pageToken) = (true, size, token)
      let page = try await ada.moderation.listMyCases(request)
      return (page.cases.map(\.id), page.nextPageToken)
    }
    await world.close()
  }
}
