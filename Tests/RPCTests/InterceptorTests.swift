import Base
import ProtobufRuntime
import RPC
import Testing

struct InterceptorTests {
  private enum NameKey: CallKey { typealias Value = String }

  private struct Recorder: EnclosingServerInterceptor {
    let name: String
    let events: Locked<[String]>
    func before(_ context: ServerContext) async throws {
      events.withLock { $0.append("before \(name)") }
      context[NameKey.self] = (context[NameKey.self] ?? "") + name
    }
    func around(_ context: ServerContext, _ body: () async throws -> Void) async throws {
      events.withLock { $0.append("enter \(name)") }
      defer { events.withLock { $0.append("leave \(name)") } }
      try await body()
    }
    func ended(_ context: ServerContext, _ status: StatusCode) {
      events.withLock { $0.append("ended \(name) \(status)") }
    }
  }

  private struct Refuser: ServerInterceptor {
    func before(_ context: ServerContext) async throws { throw RPCError(.unauthenticated, "who are you?") }
  }

  @Test func interceptorsEncloseTheHandlerInOrder() async throws {
    let events = Locked([String]())
    let fixture = Fixture(interceptors: [Recorder(name: "a", events: events), Recorder(name: "b", events: events)]) {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) in
        events.withLock { $0.append("handler") }
        return RawMessage(Array((context[NameKey.self] ?? "").utf8))
      }
    }
    let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage())
    #expect(reply.bytes == Array("ab".utf8))
    #expect(
      events.withLock { $0 } == [
        "enter a", "enter b", "before a", "before b", "handler", "leave b", "leave a", "ended b OK", "ended a OK",
      ])
  }

  @Test func aRefusalComesBeforeAnythingAboutTheRequest() async {
    let fixture = Fixture(interceptors: [Refuser()]) {
      $0.unary(TestMethods.unary) { (request: PickyMessage, _) in request }
      $0.bidirectional(TestMethods.chat) { (_: RequestReader<PickyMessage>, _: ResponseWriter<PickyMessage>, _) in }
    }
    let malformed = await rpcError {
      try await fixture.channel().unary(TestMethods.unary, RawMessage([0xff]), as: RawMessage.self)
    }
    #expect(malformed?.code == .unauthenticated)
    let invalid = await rpcError {
      try await fixture.channel().unary(TestMethods.unary, RawMessage([0]), as: RawMessage.self)
    }
    #expect(invalid?.code == .unauthenticated)
    let call: BidirectionalCall<RawMessage, RawMessage> = fixture.channel().bidirectional(TestMethods.chat)
    #expect(await rpcError { try await call.responses.next() }?.code == .unauthenticated)
  }

  private struct RefusalListener: ServerInterceptor {
    let refusals: Locked<[String]>
    func refused(_ head: RequestHead, _ method: MethodDescriptor?, peer: PeerInfo, _ error: RPCError) {
      refusals.withLock { $0.append("\(head.path) \(method?.name ?? "-") \(error.code) \(peer.address)") }
    }
  }

  @Test func interceptorsHearOfWhatIsRefusedAtTheHead() async {
    let refusals = Locked([String]())
    let fixture = Fixture(interceptors: [RefusalListener(refusals: refusals)]) { $0.echo() }
    _ = await RawExchange(fixture.transport, path: "/test.Service/Nothing").end()
    var headers = RawExchange.headers
    headers.append("grpc-timeout", "soon")
    _ = await RawExchange(fixture.transport, path: TestMethods.unary.path, headers: headers).end()
    fixture.server.beginDraining()
    _ = await RawExchange(fixture.transport, path: TestMethods.unary.path).end()
    #expect(
      refusals.withLock { $0 } == [
        "/test.Service/Nothing - UNIMPLEMENTED inprocess:",
        "/test.Service/Unary Unary INVALID_ARGUMENT inprocess:", "/test.Service/Unary Unary UNAVAILABLE inprocess:",
      ])
  }

  private final class Visitor: Sendable {}

  /// Knows one.
  private struct Usher: ServerInterceptor {
    let visitor: Visitor
    let seen: Locked<[String]>
    func beforeSynchronously(_ context: ServerContext) throws -> Bool {
      let credentials = context.authorization.map { String(decoding: $0, as: UTF8.self) }
      seen.withLock { $0.append(credentials ?? "-") }
      if credentials == "Bearer v" { context.principal = visitor }
      return true
    }
    func ended(_ context: ServerContext, _ status: StatusCode) {
      seen.withLock { $0.append(context.principal === visitor ? "the visitor has left" : "nobody has left") }
    }
  }

  @Test func `whom an interceptor finds by the credentials is the call's principal, on any thread and to its end`()
    async throws
  {
    let usher = Usher(visitor: Visitor(), seen: Locked([]))
    let fixture = Fixture(interceptors: [usher]) {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) async throws in
        let isVisitor = await Task.detached { context.principal === usher.visitor }.value
        return RawMessage(Array((isVisitor ? "visitor" : context.principal == nil ? "nobody" : "another").utf8))
      }
    }
    func call(_ credentials: [String]) async throws -> String {
      var options = CallOptions()
      for text in credentials { try options.metadata.add("authorization", text) }
      let reply: RawMessage = try await fixture.channel().unary(TestMethods.unary, RawMessage(), options: options)
      return String(decoding: reply.bytes, as: UTF8.self)
    }
    #expect(try await call([]) == "nobody")
    // Of two the first counts.
    #expect(try await call(["Bearer v", "Bearer w"]) == "visitor")
    #expect(try await call(["Bearer w", "Bearer v"]) == "nobody")
    #expect(
      usher.seen.withLock { $0 } == [
        "-", "nobody has left", "Bearer v", "the visitor has left", "Bearer w", "nobody has left",
      ])
  }

  @Test func theClientsInterceptorsAddCredentials() async throws {
    let fixture = Fixture {
      $0.unary(TestMethods.unary) { (_: RawMessage, context) in
        RawMessage(Array((context.metadata["authorization"] ?? "none").utf8))
      }
    }
    let credentials = CallCredentials { method in
      await Task.yield()
      var metadata = Metadata()
      try metadata.add("authorization", "Bearer \(method.name)")
      return metadata
    }
    let reply: RawMessage = try await fixture.channel([credentials]).unary(TestMethods.unary, RawMessage())
    #expect(String(decoding: reply.bytes, as: UTF8.self) == "Bearer Unary")
  }

  @Test func missingCredentialsFailTheCall() async {
    let fixture = Fixture { $0.echo() }
    let credentials = CallCredentials { _ in throw RPCError(.unauthenticated, "log in first") }
    let error = await rpcError {
      try await fixture.channel([credentials]).unary(TestMethods.unary, RawMessage(), as: RawMessage.self)
    }
    #expect(error?.code == .unauthenticated)
    #expect(error?.message == "log in first")
  }

  // MARK: What the client's interceptors see

  private struct Watcher: ClientInterceptor {
    let name: String
    let events: Locked<[String]>
    func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
      events.withLock { $0.append("\(name) before") }
      if name == "a" { options.timeout = .seconds(9) }
    }
    func received(_ method: MethodDescriptor, initialMetadata: Metadata) {
      events.withLock { $0.append("\(name) head \(initialMetadata["x-head"] ?? "")") }
    }
    func ended(_ method: MethodDescriptor, _ status: StatusCode, trailingMetadata: Metadata) {
      events.withLock { $0.append("\(name) \(status) \(trailingMetadata["x-trailer"] ?? "")") }
    }
  }

  @Test func theClientsInterceptorsSeeMetadataAndStatusAndShortenTheDeadline() async throws {
    let events = Locked([String]())
    let executor = ManualTimerExecutor()
    let server = ScriptedServer { number, request in
      if number == 0 { request.succeed() } else { request.fail(.notFound) }
    }
    let channel = RPCChannel(
      transport: InProcessTransport(acceptor: server, executor: executor), authority: "test",
      interceptors: [Watcher(name: "a", events: events), Watcher(name: "b", events: events)], clock: ManualClock())
    _ = try await channel.unary(
      TestMethods.unary, RawMessage(), as: RawMessage.self, options: CallOptions(timeout: .seconds(60)))
    #expect(server.seen[0].head.headers.first("grpc-timeout") == "9000000u")
    #expect(events.withLock { $0 } == ["a before", "b before", "b head 1", "a head 1", "b OK 2", "a OK 2"])
    events.withLock { $0 = [] }
    _ = await rpcError { try await channel.unary(TestMethods.unary, RawMessage(), as: RawMessage.self) }
    #expect(events.withLock { $0 } == ["a before", "b before", "b NOT_FOUND ", "a NOT_FOUND "])
  }

  /// The in-process transport, as if everybody could read what it carries.
  private struct OpenTransport: ClientTransport {
    let inner: InProcessTransport
    func executor() -> any CallExecutor { inner.executor() }
    func open(
      _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
    ) -> any ClientStream {
      inner.open(head, waitsForReady: waitsForReady, on: executor, handler: handler)
    }
    func shutdown() async { await inner.shutdown() }
  }

  private static func token(allowsCleartext: Bool = false, _ asked: Locked<Int>) -> CallCredentials {
    CallCredentials(allowsCleartext: allowsCleartext) { _ in
      asked.withLock { $0 += 1 }
      var metadata = Metadata()
      try metadata.add("authorization", "Bearer t")
      return metadata
    }
  }

  @Test(arguments: [false, true])
  func credentialsAreNotSentInTheClear(_ perCall: Bool) async throws {
    let asked = Locked(0)
    let server = ScriptedServer { _, request in request.succeed() }
    let transport = OpenTransport(inner: InProcessTransport(acceptor: server))
    func call(_ credentials: CallCredentials) async -> RPCError? {
      let channel = RPCChannel(transport: transport, authority: "test", interceptors: perCall ? [] : [credentials])
      return await rpcError {
        try await channel.unary(
          TestMethods.unary, RawMessage(), as: RawMessage.self,
          options: CallOptions(credentials: perCall ? credentials : nil))
      }
    }
    #expect(await call(Self.token(asked))?.code == .unauthenticated)
    #expect(asked.withLock { $0 } == 0)
    #expect(server.seen.isEmpty)
    #expect(await call(Self.token(allowsCleartext: true, asked)) == nil)
    #expect(server.seen[0].head.headers.first("authorization") == "Bearer t")
  }

  @Test func aCallHasCredentialsOfItsOwn() async throws {
    let server = ScriptedServer { _, request in request.succeed() }
    let channel = RPCChannel(transport: InProcessTransport(acceptor: server), authority: "test")
    _ = try await channel.unary(
      TestMethods.unary, RawMessage(), as: RawMessage.self, options: CallOptions(credentials: Self.token(Locked(0))))
    #expect(server.seen[0].head.headers.first("authorization") == "Bearer t")
  }
}
