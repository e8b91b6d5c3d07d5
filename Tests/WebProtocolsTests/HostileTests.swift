import Base
import InteropAPI
import ProtobufRuntime
import Testing
import WebProtocols

@testable import RPC

/// Whatever comes, there is an answer, and the server goes on.
struct HostileTests {
  private static let contentTypes = [
    "application/json", "application/proto", "application/connect+json", "application/connect+proto",
    "application/grpc-web", "application/grpc-web-text", "application/grpc-web-text;charset=utf-8", "text/plain",
  ]
  private static let methods = [
    "EmptyCall", "UnaryCall", "StreamingOutputCall", "StreamingInputCall", "FullDuplexCall", "Nothing",
  ]
  private static let headers: [(String, String)] = [
    ("content-encoding", "gzip"), ("connect-content-encoding", "gzip"), ("grpc-encoding", "gzip"),
    ("connect-timeout-ms", "999999999"), ("connect-timeout-ms", "x"), ("grpc-timeout", "1H"),
    ("connect-protocol-version", "1"), ("accept", "application/grpc-web-text"), ("accept-encoding", "gzip"),
    ("origin", "https://a.test"), ("content-type", "application/json"), ("grpc-status", "0"),
  ]
  private static let pieces: [[UInt8]] = [
    Array(#"{"payload":{"body":"AAAA"},"responseSize":3}"#.utf8), Array("{}".utf8), Array("AAAAAAA=".utf8),
    [0, 0, 0, 0, 2, 0x7b, 0x7d], [0, 0, 0, 0, 0], [2, 0, 0, 0, 2, 0x7b, 0x7d], [1, 0, 0, 0, 1, 0x1f],
    [0, 0xff, 0xff, 0xff, 0xff], [0x80, 0, 0, 0, 0], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], [0xff], [0], [],
  ]

  private static func pick<T>(_ list: [T], _ random: SeededRandomSource) -> T {
    list[Int(random.next() % UInt64(list.count))]
  }

  /// Of two bytes each, so that they fit any message.
  @Test(arguments: [(0, 200), (1, 429)])
  func `a message in JSON has jsonValues values and keys, and no more`(excess: Int, status: Int) async throws {
    var limits = WebLimits()
    limits.ignoresUnknownJSONFields = true
    // The object, the key and the array are three.
    let numbers = repeatElement("1", count: limits.jsonValues - 3 + excess).joined(separator: ",")
    let call = try WebFixture(limits: limits).open("UnaryCall", "application/json")
    call.write(Array(#"{"unknown":[\#(numbers)]}"#.utf8))
    call.finish()
    await call.end()
    #expect(call.status == status)
    #expect(call.text.contains("resource_exhausted") == (excess > 0))
  }

  @Test func randomRequestsAreAnswered() async throws {
    let seed: UInt64 = 20_261_125
    let random = SeededRandomSource(seed: seed)
    let fixture = try WebFixture(cors: CORSPolicy(origins: .any))
    for round in 0..<1500 {
      var headers = HeaderList()
      for _ in 0..<(random.next() % 3) {
        let (name, value) = Self.pick(Self.headers, random)
        headers.append(name, value)
      }
      let (type, method) = (Self.pick(Self.contentTypes, random), Self.pick(Self.methods, random))
      let call = fixture.open(method, type, headers)
      for _ in 0..<(random.next() % 4) {
        var piece = Self.pick(Self.pieces, random)
        if !piece.isEmpty, random.next() % 4 == 0 {
          piece[Int(random.next() % UInt64(piece.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        call.write(piece)
      }
      call.finish()
      await call.end()
      let what = "seed \(seed), round \(round): \(method) as \(type)"
      #expect(call.status >= 200, "\(what)")
      #expect(call.closure == nil, "\(what)")
    }
  }

  @Test func randomQueriesAreAnswered() async throws {
    let random = SeededRandomSource(seed: 7)
    let fixture = try WebFixture()
    let parts = [
      "encoding=json", "encoding=proto", "message=", "%7B%7D", "&", "base64=1", "connect=v1", "compression=gzip", "%",
      "=", "?", "AAAA", "é",
    ]
    for _ in 0..<1000 {
      let query = (0..<(random.next() % 8)).map { _ in Self.pick(parts, random) }.joined()
      let call = await fixture.request("GET", WebFixture.service + "CacheableUnaryCall?" + query)
      #expect([200, 400, 500, 501].contains(call.status), "\(query)")
    }
  }

  /// JSON that holds 300,000 octets and is a thousandth of that when compressed.
  private static let bomb = Array(#"{"payload":{"body":"\#(String(repeating: "A", count: 400_000))"}}"#.utf8)

  private struct Wait: ServerInterceptor {
    func before(_ context: ServerContext) async throws { await context.waitUntilCancelled() }
  }

  @Test func messagesThatGrowInTranslationAreCountedWhileNobodyReadsThem() async throws {
    let fixture = try WebFixture(limits: WebLimits(gatheredBytes: 1_000_000), interceptors: [Wait()])
    let call = fixture.open(
      "StreamingInputCall", "application/connect+json",
      ["connect-content-encoding": "gzip", "connect-timeout-ms": "600000"])
    for _ in 0..<5 { call.write(Frame(flags: 1, payload: try #require(gzip(Self.bomb))).bytes) }
    call.finish()
    await call.end()
    #expect(Frame.all(call.body).last?.text.contains("resource_exhausted") == true, "\(call.text)")
    // Nothing of it is left in the sum.
    let next = fixture.open(
      "StreamingInputCall", "application/connect+json",
      ["connect-content-encoding": "gzip", "connect-timeout-ms": "50"])
    for _ in 0..<3 { next.write(Frame(flags: 1, payload: try #require(gzip(Self.bomb))).bytes) }
    await next.end()
    #expect(Frame.all(next.body).last?.text.contains("deadline_exceeded") == true, "\(next.text)")
  }

  @Test func aRequestThatGrowsInTranslationIsCounted() async throws {
    let fixture = try WebFixture(rpcLimits: RPCLimits(gatheredBytes: 100_000))
    let body = try #require(gzip(Self.bomb))
    for _ in 0..<2 {
      let call = await fixture.post("UnaryCall", "application/json", body, ["content-encoding": "gzip"])
      #expect(call.status == 429)
    }
    #expect(await fixture.json("UnaryCall", "{}").status == 200)
  }

  @Test func aRequestUpToUncountedRequestBytesIsNotCounted() async throws {
    let fixture = try WebFixture(rpcLimits: RPCLimits(gatheredBytes: 1000))
    for (excess, status) in [(0, 200), (1, 429)] {
      var request = SimpleRequest()
      request.payload = Payload()
      /// With the prefix of a gRPC message; what is beside the body is always as long.
      func length(_ body: Int) -> Int {
        request.payload?.body = Array(repeating: 0, count: body)
        return request.encoded(headroom: 5).count
      }
      let body = RPCLimits.uncountedRequestBytes + excess - (length(4000) - 4000)
      try #require(length(body) == RPCLimits.uncountedRequestBytes + excess)
      // JSON is handed over when it is whole.
      let text = String(repeating: "AAAA", count: body / 3) + ["", "AA==", "AAA="][body % 3]
      let call = await fixture.json("UnaryCall", #"{"payload":{"body":"\#(text)"}}"#)
      #expect(call.status == status)
    }
  }

  @Test func anAnswerThatHasNoJSONFailsTheCallEvenBeforeItsRequest() async throws {
    let method = MethodDescriptor(service: "test.Undescribed", name: "Talk", kind: .bidirectional)
    let fixture = try WebFixture { registry in
      registry.bidirectional(method) {
        (_: RequestReader<RawMessage>, responses: ResponseWriter<RawMessage>, _) in
        try await responses.write(RawMessage([]))
      }
    }
    let call = WebExchange(
      fixture.transport, "POST", method.path, ["content-type": "application/connect+json"])
    call.finish()
    await call.end()
    #expect(call.status == 200)
    #expect(Frame.all(call.body).map(\.flags) == [2], "\(call.text)")
  }

  @Test func whatIsWrongWithABodyIsTheCallsStatus() async throws {
    let seen = Locked([StatusCode]())
    struct Watch: ServerInterceptor {
      let seen: Locked<[StatusCode]>
      func ended(_ context: ServerContext, _ status: StatusCode) { seen.withLock { $0.append(status) } }
    }
    let fixture = try WebFixture(interceptors: [Watch(seen: seen)])
    _ = await fixture.json("UnaryCall", "[")
    _ = await fixture.post("UnaryCall", "application/grpc-web-text", Array("!".utf8))
    _ = await fixture.post("StreamingInputCall", "application/connect+json", [9])
    _ = await fixture.post("FullDuplexCall", "application/connect+json", [0, 0, 0, 0, 1, 0x5b])
    _ = await fixture.json("EmptyCall", "{}")
    #expect(seen.withLock { $0 } == [.invalidArgument, .invalidArgument, .internal, .invalidArgument, .ok])
  }
}
