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
}
