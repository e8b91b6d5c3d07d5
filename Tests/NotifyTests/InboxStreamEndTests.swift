import Base
import DomainKit
import NotifyAPI
import RPC
import Refusals
import Storage
import Streaming
import Testing

@testable import Notify

/// How the stream of an inbox ends for those who do not read, or come back too late.
@Suite struct InboxStreamEndTests {
  /// A watch, from a token on if there is one.
  private func watch(
    _ world: NotifyWorld, _ user: Identifier, from token: String = ""
  ) -> ServerStreamingCall<WatchInboxResponse> {
    var request = WatchInboxRequest()
    request.resumeToken = token
    return world.client(user).watchInbox(request)
  }

  @Test func `a reader that falls too far behind is ended with its last token, and loses nothing by it`() async throws {
    var limits = TopicLimits()
    limits.queuedEvents = 4
    let world = try await NotifyWorld.open(topicLimits: limits)
    let user = world.user([:])
    let call = watch(world, user)
    // Of a stream that ends before its first notice, this is the last token.
    var token = try #require(try await call.responses.next()).resumeToken
    // More than the windows between the two ends hold, so that the writer waits and the queue overflows.
    let filler = String(repeating: "x", count: 60_000)
    for number in 1...40 { try await world.tell(user, key: "\(number)", filler) }
    var seen: [Int64] = []
    func note(_ response: WatchInboxResponse) {
      token = response.resumeToken
      if case .notice(let notice)? = response.event { seen.append(notice.number) }
    }
    let ended = await failure { while let response = try await call.responses.next() { note(response) } }
    #expect(ended.refusal == Refusal(.resourceExhausted, "SLOW_READER"))
    #expect(seen.count < 40)
    let back = watch(world, user, from: token)
    while seen.last != 40, let response = try await back.responses.next() { note(response) }
    #expect(seen == Array(1...40))
    back.cancel()
    await world.close()
  }

  @Test func `a token whose notices are told no more is too old; without it, the stream starts over`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user([:])
    let first = watch(world, user)
    let token = try #require(try await first.responses.next()).resumeToken
    first.cancel()
    let sweep = TopicSweep(world.notify.topicRetention, clock: world.clock)
    try await world.tell(user, key: "1")
    world.clock.advance(by: NotifyLimits().eventRetention)
    while try await sweep.step(world.database) {}
    // What is as old as events may be is there, and a moment later it is not.
    let back = watch(world, user, from: token)
    guard case .notice(let kept)? = try await back.responses.next()?.event else { throw Unexpected() }
    #expect(kept.number == 1)
    back.cancel()
    world.clock.advance(by: .seconds(3600))
    while try await sweep.step(world.database) {}
    await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") {
      _ = try await watch(world, user, from: token).responses.next()
    }
    let again = watch(world, user)
    guard case .snapshot(let snapshot)? = try await again.responses.next()?.event else { throw Unexpected() }
    #expect(snapshot.notices.map(\.number) == [1] && snapshot.lastNumber == 1)
    again.cancel()
    await world.close()
  }
}
