import Base
import DomainKit
import RPC
import Refusals
import SocialAPI
import Storage
import Streaming
import Testing

@testable import Social

/// How streams of comments and of the queue end for those who do not read, or come back too late.
@Suite struct StreamEndTests {
  /// One of the two streams, in what tests ask of both.
  private struct Watched {
    let topic: Topic
    /// A change of what is on the stream.
    let payload: [UInt8]
    /// Makes that so long that a few of it are more than the windows between the two ends hold.
    let lengthen: StaticString
    let open: @Sendable (_ token: String) -> Ending
  }

  /// The next token of a stream; nil at its end.
  private typealias Ending = @Sendable () async throws -> String?

  private func watched(_ scene: Scene, isQueue: Bool) async throws -> Watched {
    let (ada, moe, thing) = (scene.ada, scene.moe, scene.thing)
    let comment = try await scene.bob.comment("fine", on: thing)
    guard isQueue else {
      let id = try Identifier.parse(comment.id, kind: "cmt")
      let subject = try scene.world.kit.subjects.parse(thing, field: "")
      return Watched(
        topic: scene.world.social.core.commentTopic(of: subject), payload: id.rawValue.bigEndianBytes,
        lengthen: "UPDATE social_comments SET text = $1"
      ) { token in
        let call = ada.watchComments(on: thing, resumeToken: token)
        return { try await call.responses.next()?.resumeToken }
      }
    }
    let id = try Identifier.parse(try await ada.report(comment.id).id, kind: "rep")
    return Watched(
      topic: scene.world.social.core.queueTopic, payload: id.rawValue.bigEndianBytes,
      lengthen: "UPDATE social_reports SET text = $1"
    ) { token in
      var request = WatchQueueRequest()
      request.resumeToken = token
      let call = moe.moderation.watchQueue(request)
      return { try await call.responses.next()?.resumeToken }
    }
  }

  private func publish(_ watched: Watched, _ count: Int, _ world: World) async throws {
    let (hub, topic, payload) = (world.kit.hub, watched.topic, watched.payload)
    for _ in 0..<count { _ = try await world.database.write { try hub.publish(topic, payload, in: $0) } }
  }

  @Test(arguments: [false, true]) func `a reader that falls too far behind is ended with its last token`(isQueue: Bool)
    async throws
  {
    var limits = TopicLimits()
    limits.queuedEvents = 4
    let scene = try await Scene(topicLimits: limits)
    let watched = try await watched(scene, isQueue: isQueue)
    let (filler, lengthen) = (String(repeating: "x", count: 60_000), "\(watched.lengthen)")
    _ = try await scene.world.database.write { try $0.execute(lengthen, [.text(filler)]) }
    let next = watched.open("")
    var token = try await next() ?? ""
    try await publish(watched, 40, scene.world)
    var seen = 0
    await expectRefusal(.resourceExhausted, "SLOW_READER") {
      while let newer = try await next() { (token, seen) = (newer, seen + 1) }
    }
    #expect(seen < 40)
    // Nothing is lost by it.
    let back = watched.open(token)
    for _ in seen..<40 { #expect(try await back() != nil) }
    await scene.world.close()
  }

  @Test(arguments: [false, true]) func `a token whose events are gone is too old, and another stream's is none`(
    isQueue: Bool
  ) async throws {
    let scene = try await Scene()
    let watched = try await watched(scene, isQueue: isQueue)
    let token = try await watched.open("")() ?? ""
    try await publish(watched, 3, scene.world)
    let (hub, topic) = (scene.world.kit.hub, watched.topic)
    try await scene.world.database.write { writer in
      _ = try hub.compact(topic, before: Instant(nanoseconds: .max), in: writer)
    }
    await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") { _ = try await watched.open(token)() }
    let other = try await self.watched(scene, isQueue: !isQueue).open("")() ?? ""
    await expectRefusal(.invalidArgument, "BAD_RESUME_TOKEN") { _ = try await watched.open(other)() }
    await scene.world.close()
  }
}
