import Base
import RPC
import Testing
import WebProtocols

/// Compressed JSON, which is decompressed before the core sees it, waits for later ticks like everything else.
struct InflatingInTurnTests {
  private static let share = 1 << 20
  /// More than half of a tick's share when it is decompressed.
  private static let messageBytes = 600_000

  private let executor = TurnExecutor()

  /// JSON of `messageBytes` and a little more, with a payload of `count` octets.
  private static func json(_ count: Int) -> [UInt8] {
    let body = Base64.standard.encode([UInt8](repeating: 1, count: count), padded: true)
    return Array(#"{"payload":{"body":"\#(body)"}\#(String(repeating: " ", count: messageBytes))}"#.utf8)
  }

  private func fixture(_ limits: WebLimits = WebLimits()) throws -> WebFixture {
    let fixture = try WebFixture(limits: limits, executor: executor)
    executor.useUpTick()
    return fixture
  }

  private func unary(_ fixture: WebFixture, _ count: Int, _ headers: HeaderList = [:]) throws -> WebExchange {
    var all: HeaderList = ["content-encoding": "gzip"]
    for field in headers { all.append(headers.name(of: field), headers.value(of: field)) }
    let call = fixture.open("UnaryCall", "application/json", all)
    call.write(try #require(gzip(Self.json(count))))
    call.finish()
    return call
  }

  private func stream(_ fixture: WebFixture, _ method: String = "StreamingInputCall") -> WebExchange {
    fixture.open(method, "application/connect+json", ["connect-content-encoding": "gzip"])
  }

  private func frame(_ count: Int) throws -> [UInt8] {
    Frame(flags: 1, payload: try #require(gzip(Self.json(count)))).bytes
  }

  @Test func `waiting unary calls are answered in order, as many in a tick as it has room for`() async throws {
    let fixture = try fixture()
    let calls = try (1...5).map { try unary(fixture, $0) }
    #expect(await executor.waiting() == 5)
    for count in [2, 4, 5] {
      await executor.tick()
      #expect(calls.count { $0.hasEnded } == count)
    }
    for (count, call) in zip(1..., calls) {
      let body = Base64.standard.encode([UInt8](repeating: 1, count: count), padded: true)
      #expect(await call.end().text.contains(#""body":"\#(body)""#))
    }
    #expect(executor.turns.mostPerTick == 1 << 30, "what the test used up itself")
  }

  @Test func `no tick takes more than its share and one message`() async throws {
    let fixture = try WebFixture(executor: executor)
    let calls = try (1...7).map { try unary(fixture, $0) }
    while await executor.waiting() > 0 { await executor.tick() }
    for call in calls { #expect(await call.end().status == 200) }
    #expect(executor.turns.mostPerTick > Self.share)
    #expect(executor.turns.mostPerTick < Self.share + Self.messageBytes + 1000)
  }

  @Test func `waiting messages of a stream come in order, between those that are not compressed`() async throws {
    let fixture = try fixture()
    let call = stream(fixture, "FullDuplexCall")
    let plain = Frame(flags: 0, payload: Array(#"{"payload":{"body":"AAAA"}}"#.utf8)).bytes
    call.write(try frame(1) + plain + frame(2) + frame(4))
    call.write(try plain + frame(5))
    call.finish()
    for _ in 0..<2 {
      #expect(await executor.waiting() == 1)
      await executor.tick()
    }
    await call.end()
    let frames = Frame.all(call.body)
    #expect(
      frames.dropLast().map(\.text.count)
        == [1, 3, 2, 4, 3, 5].map { count in
          #"{"payload":{"body":"\#(Base64.standard.encode([UInt8](repeating: 0, count: count), padded: true))"}}"#.count
        })
    #expect(frames.last?.text == "{}")
  }

  @Test func `the end of a body is judged when the messages before it had their turn`() async throws {
    let fixture = try fixture()
    let call = stream(fixture)
    call.write(try frame(1) + [1, 0, 0])
    call.finish()
    #expect(await executor.waiting() == 1)
    #expect(!call.hasEnded)
    await executor.tick()
    await call.end()
    #expect(Frame.all(call.body).last?.text.contains("the body ended within a message") == true, "\(call.text)")
  }

  @Test func `what comes while a message waits is not taken off the peer's window`() async throws {
    let fixture = try fixture()
    let call = stream(fixture)
    call.write(try frame(1))
    #expect(await executor.waiting() == 1)
    let more = Frame(flags: 0, payload: Array(("{}" + String(repeating: " ", count: 998)).utf8)).bytes
    for _ in 0..<100 { call.write(more) }
    _ = await executor.waiting()
    // Of a hundred KB, the window of 64 KiB is through, and no more.
    #expect(await call.waitingBytes() >= 100 * more.count - 70_000)
    await executor.tick()
    call.finish()
    await call.end()
    #expect(Frame.all(call.body).first?.text == #"{"aggregatedPayloadSize":1}"#)
  }

  @Test(arguments: [false, true])
  func `a waiting call that is cancelled gives its turn on and nothing of it stays counted`(isStream: Bool) async throws
  {
    let fixture = try fixture(WebLimits(gatheredBytes: 2 * frame(1).count + 100))
    for _ in 0..<5 {
      let call: WebExchange
      if isStream {
        call = stream(fixture)
        call.write(try frame(1))
      } else {
        call = try unary(fixture, 1)
      }
      let other = try unary(fixture, 2)
      #expect(await executor.waiting() == 2)
      call.reset()
      await call.end()
      #expect(await executor.waiting() == 1)
      await executor.tick()
      #expect(await other.end().status == 200)
      executor.useUpTick()
    }
  }

  @Test func `a deadline ends a waiting call`() async throws {
    let fixture = try fixture()
    let call = try unary(fixture, 1, ["connect-timeout-ms": "5"])
    await call.end()
    #expect(call.status == 504)
    #expect(await executor.waiting() == 0)
  }

  @Test func `what is no gzip fails at its turn`() async throws {
    let fixture = try fixture()
    let call = fixture.open("UnaryCall", "application/json", ["content-encoding": "gzip"])
    call.write([1, 2, 3])
    call.finish()
    #expect(await executor.waiting() == 1)
    await executor.tick()
    await call.end()
    #expect(call.status == 500)
  }

  @Test func `a call of GET waits too`() async throws {
    let fixture = try fixture()
    let message = Base64.url.encode(try #require(gzip(Self.json(1))))
    let call = WebExchange(
      fixture.transport, "GET",
      WebFixture.service + "CacheableUnaryCall?encoding=json&base64=1&compression=gzip&message=\(message)", [:])
    call.finish()
    #expect(await executor.waiting() == 1)
    await executor.tick()
    #expect(await call.end().status == 200)
  }

  @Test func `what the core decompresses waits there`() async throws {
    let fixture = try fixture()
    let message = [UInt8](repeating: 0, count: 1000)
    let call = fixture.open("EmptyCall", "application/proto", ["content-encoding": "gzip"])
    call.write(try #require(gzip(message)))
    call.finish()
    #expect(await executor.waiting() == 1)
    await executor.tick()
    // A field with the number 0 is none.
    #expect(await call.end().status == 400)
  }
}
