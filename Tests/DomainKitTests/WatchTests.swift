import Base
import ChatAPI
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Testing

@testable import DomainKit
@testable import Streaming

private let watch = MethodDescriptor(
  service: "test.Notes", name: "Watch", kind: .serverStreaming, policy: MethodPolicy(access: .user))
private let topic = Topic("notes", "1")

@Suite struct WatchTests {
  /// Watches the notes: the texts so far, then each new one. A note "end" ends it.
  private func channel(_ shop: Workshop, _ policy: MethodPolicy = watch.policy) -> RPCChannel {
    let kit = shop.kit
    let method = MethodDescriptor(service: watch.service, name: watch.name, kind: watch.kind, policy: policy)
    return shop.channel {
      $0.serverStreaming(method) { (request: Join, responses: ResponseWriter<ServerFrame>, context) in
        try await kit.watch(
          topic, resumeToken: request.resumeToken, responses, context,
          snapshot: { reader in try reader.rows("SELECT text FROM notes ORDER BY id") { $0[0] as String } },
          isOver: { $0.last == "end" },
          first: { texts, token in .send(frame(texts.joined(separator: ","), token)) },
          heartbeat: { ServerFrame() },
          step: { event, token in
            let text = String(decoding: event.payload, as: UTF8.self)
            switch text {
            case "skip": return .skip
            case "end": return .finish(frame(text, token))
            case "share": return .share(event.shared { _ in EncodedMessage(frame(text, token)) })
            default: return .send(frame(text, token))
            }
          })
      }
    }
  }

  private func open(_ shop: Workshop, resumeToken: String = "") throws -> ServerStreamingCall<ServerFrame> {
    var join = Join()
    join.resumeToken = resumeToken
    return channel(shop).serverStreaming(watch, join, options: try shop.credentials())
  }

  private func note(_ shop: Workshop, _ texts: String...) async throws {
    for text in texts {
      try await shop.database.write { writer in
        try writer.execute("INSERT INTO notes (text) VALUES ($1)", text)
        try shop.kit.hub.publish(topic, Array(text.utf8), in: writer)
      }
    }
  }

  @Test func `events are completed by what the database says when they are sent, and end when it says so`() async throws
  {
    let shop = try await Workshop()
    let kit = shop.kit
    let channel = shop.channel {
      $0.serverStreaming(watch) { (request: Join, responses: ResponseWriter<ServerFrame>, context) in
        try await kit.watch(
          topic, resumeToken: request.resumeToken, responses, context, snapshot: { _ in },
          first: { _, token in .send(frame("open", token)) }, heartbeat: { ServerFrame() },
          read: { event, reader -> String in
            let id = Int64(String(decoding: event.payload, as: UTF8.self))
            let text: String? = try reader.first("SELECT text FROM notes WHERE id = $1", id) { $0[0] }
            guard let text else { throw KitError.notFound("note") }
            return text
          },
          step: { text, token in text.isEmpty ? .skip : .send(frame(text, token)) })
      }
    }
    let call = channel.serverStreaming(watch, Join(), as: ServerFrame.self, options: try shop.credentials())
    #expect(try await call.responses.next()?.text == "open")
    for (id, text) in [(1, "a"), (2, ""), (3, "c")] {
      try await shop.database.write { writer in
        try writer.execute("INSERT INTO notes (id, text) VALUES ($1, $2)", id, text)
        try kit.hub.publish(topic, Array(String(id).utf8), in: writer)
      }
    }
    #expect(try await call.responses.next()?.text == "a")
    #expect(try await call.responses.next()?.text == "c")
    try await shop.database.write { try kit.hub.publish(topic, Array("4".utf8), in: $0) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await call.responses.next() }
    await shop.database.close()
  }

  @Test func `a snapshot, then every change, then the end`() async throws {
    let shop = try await Workshop()
    try await note(shop, "a", "b")
    let call = try open(shop)
    #expect(try await call.responses.next()?.text == "a,b")
    try await note(shop, "c", "skip", "share", "end")
    var texts: [String] = []
    while let frame = try await call.responses.next() { texts.append(frame.text) }
    #expect(texts == ["c", "share", "end"])
    await shop.database.close()
  }

  @Test func `a client that comes back misses nothing, and is not kept waiting when all is said`() async throws {
    let shop = try await Workshop()
    try await note(shop, "a")
    let first = try open(shop)
    let token = try await first.responses.next()?.resumeToken ?? ""
    first.cancel()
    try await note(shop, "b", "c", "end")
    let second = try open(shop, resumeToken: token)
    var frames: [ServerFrame] = []
    while let frame = try await second.responses.next() { frames.append(frame) }
    #expect(frames.map(\.text) == ["b", "c", "end"])
    let third = try open(shop, resumeToken: frames[1].resumeToken)
    #expect(try await third.responses.next()?.text == "end")
    let fourth = try open(shop, resumeToken: frames[2].resumeToken)
    #expect(try await fourth.responses.next() == nil)
    await shop.database.close()
  }

  @Test func `refuses tokens of other streams and tokens that are too old`() async throws {
    let shop = try await Workshop()
    let foreign = shop.kit.hub.tokens.make(Topic("notes", "2"), TopicPosition(sequence: 0, born: 0))
    for token in [foreign, "nonsense"] {
      await expectRefusal(.invalidArgument, "BAD_RESUME_TOKEN") {
        try await open(shop, resumeToken: token).responses.next()
      }
    }
    try await note(shop, "a", "b", "c")
    try await shop.database.write { _ = try shop.kit.hub.compact(topic, through: 2, in: $0) }
    await expectRefusal(.outOfRange, "RESUME_TOKEN_TOO_OLD") {
      let token = shop.kit.hub.tokens.make(topic, TopicPosition(sequence: 1, born: 0))
      _ = try await open(shop, resumeToken: token).responses.next()
    }
    await shop.database.close()
  }

  @Test func `a reader that falls too far behind is ended with its last token, and loses nothing by it`() async throws {
    var limits = TopicLimits()
    limits.queuedEvents = 4
    let shop = try await Workshop(topicLimits: limits)
    let call = try open(shop)
    // Of a stream that ends before its first event, this is the last token.
    var token = try await call.responses.next()?.resumeToken ?? ""
    // More than the windows between the two ends hold, so that the writer waits and the queue overflows.
    let filler = String(repeating: "x", count: 60_000)
    for number in 1...40 { try await note(shop, "\(number) \(filler)") }
    var seen: [Int] = []
    let error = await failure {
      while let frame = try await call.responses.next() {
        seen.append(frame.number)
        token = frame.resumeToken
      }
    }
    #expect(error.refusal == Refusal(.resourceExhausted, "SLOW_READER"))
    let again = try open(shop, resumeToken: token)
    while seen.last != 40, let frame = try await again.responses.next() { seen.append(frame.number) }
    #expect(seen == Array(1...40))
    await shop.database.close()
  }

  @Test func `nothing is sent to a session that has ended`() async throws {
    let shop = try await Workshop()
    let call = try open(shop)
    _ = try await call.responses.next()
    shop.doors.end(Workshop.user)
    try await note(shop, "secret")
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await call.responses.next() }
    await shop.database.close()
  }

  /// A stream of staff's, whose caller had this role when it began.
  private func openAsStaff(
    _ shop: Workshop, _ grant: RoleGrant = RoleGrant(role: "ops")
  ) async throws -> ServerStreamingCall<ServerFrame> {
    shop.doors.setRoles(Workshop.user, RoleSet([grant]))
    let channel = channel(shop, MethodPolicy(access: .role, roles: ["notes.ops"]))
    let call = channel.serverStreaming(watch, Join(), as: ServerFrame.self, options: try shop.credentials())
    _ = try await call.responses.next()
    return call
  }

  @Test(arguments: [true, false])
  func `nothing is sent to whoever has lost the role that let them in`(isInMemory: Bool) async throws {
    let shop = try await Workshop()
    shop.doors.remembersRoles = isInMemory
    let call = try await openAsStaff(shop)
    try await note(shop, "a")
    #expect(try await call.responses.next()?.text == "a")
    shop.doors.setRoles(Workshop.user, RoleSet([RoleGrant(role: "support")]))
    try await note(shop, "secret")
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call.responses.next() }
    await shop.database.close()
  }

  @Test func `a role that was given anew, or others that were lost, disturb no stream`() async throws {
    let shop = try await Workshop()
    let call = try await openAsStaff(shop)
    let later = RoleGrant(role: "ops", expiresAt: shop.clock.now() + .seconds(60))
    shop.doors.setRoles(Workshop.user, RoleSet([later]))
    try await note(shop, "a")
    #expect(try await call.responses.next()?.text == "a")
    call.cancel()
    await shop.database.close()
  }

  @Test func `an event after the end of a role is not sent`() async throws {
    let shop = try await Workshop()
    let call = try await openAsStaff(shop, RoleGrant(role: "notes.ops", expiresAt: shop.clock.now() + .seconds(60)))
    shop.clock.advance(by: .seconds(59))
    try await note(shop, "a")
    #expect(try await call.responses.next()?.text == "a")
    shop.clock.advance(by: .seconds(1))
    try await note(shop, "secret")
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await call.responses.next() }
    await shop.database.close()
  }

  /// Reads heartbeats to the end of the stream.
  private func waitForEnd(of call: ServerStreamingCall<ServerFrame>) async throws {
    while let frame = try await call.responses.next() { #expect(frame.text.isEmpty) }
  }

  @Test(arguments: [true, false])
  func `a stream on which nothing happens ends with the role as well`(isInMemory: Bool) async throws {
    let shop = try await Workshop(beatInterval: .milliseconds(1))
    shop.doors.remembersRoles = isInMemory
    let call = try await openAsStaff(shop, RoleGrant(role: "ops", expiresAt: shop.clock.now() + .seconds(60)))
    #expect(try await call.responses.next()?.text == "")
    shop.clock.advance(by: .seconds(60))
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await waitForEnd(of: call) }
    await shop.database.close()
  }

  @Test func `a stream on which nothing happens ends with the session as well`() async throws {
    let shop = try await Workshop(beatInterval: .milliseconds(1))
    let call = try open(shop)
    _ = try await call.responses.next()
    shop.doors.end(Workshop.user)
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await waitForEnd(of: call) }
    await shop.database.close()
  }

  @Test func `a silent stream beats`() async throws {
    let shop = try await Workshop(beatInterval: .milliseconds(1))
    let kit = shop.kit
    let channel = shop.channel {
      $0.serverStreaming(watch) { (_: Join, responses: ResponseWriter<ServerFrame>, context) in
        let heart = Heart(kit, context, responses.sink) { frame("beat", "") }
        heart.start()
        await context.waitUntilCancelled()
        heart.stop()
      }
    }
    let call = channel.serverStreaming(watch, Join(), as: ServerFrame.self, options: try shop.credentials())
    for _ in 0..<3 { #expect(try await call.responses.next()?.text == "beat") }
    call.cancel()
    await shop.database.close()
  }
}

private func frame(_ text: String, _ token: String) -> ServerFrame {
  var message = ChatMessage()
  message.text = text
  var frame = ServerFrame()
  frame.resumeToken = token
  frame.frame = .message(message)
  return frame
}

extension ServerFrame {
  fileprivate var text: String {
    if case .message(let message) = frame { message.text } else { "" }
  }

  fileprivate var number: Int { Int(text.prefix { $0 != " " }) ?? 0 }
}
