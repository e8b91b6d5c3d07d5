import Base
import RPC
import Testing
import WebProtocols

/// What a transport learns of requests in the web protocols, and how one ends that comes too slowly.
struct SlowBodyTests {
  private final class CapturingAcceptor: RequestAcceptor, @unchecked Sendable {
    // Unchecked: touched on the executor only.
    private let next: any RequestAcceptor
    private(set) var handler: (any ServerStreamHandler)?

    init(_ next: any RequestAcceptor) {
      self.next = next
    }

    func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
      let made = next.accept(head, on: stream)
      handler = made
      return made
    }
  }

  private let executor = TurnExecutor()

  private func on<Result: Sendable>(
    _ body: @escaping @Sendable () -> Result
  ) async -> Result {
    _ = await executor.waiting()
    return await withCheckedContinuation { continuation in
      executor.execute { continuation.resume(returning: body()) }
    }
  }

  private func capturing() throws -> (WebFixture, CapturingAcceptor) {
    var capturing: CapturingAcceptor?
    let fixture = try WebFixture(
      executor: executor,
      wrapping: { acceptor in
        let made = CapturingAcceptor(acceptor)
        capturing = made
        return made
      })
    return (fixture, try #require(capturing))
  }

  private static let frame = Frame(flags: 0, payload: Array(#"{"payload":{"body":"AAAA"}}"#.utf8)).bytes
  private static let text = Array(Base64.standard.encode([0, 0, 0, 0, 2, 0x18, 1], padded: true).utf8)

  /// Whether it is within a message before anything came, in the middle of one, and after it.
  @Test(
    arguments: [
      ("UnaryCall", "application/json", Array(#"{"responseSize":1}"#.utf8), [true, true, true]),
      ("UnaryCall", "application/proto", [0x10, 0x01], [true, true, true]),
      ("UnaryCall", "application/grpc-web", [0, 0, 0, 0, 0], [true, true, true]),
      ("StreamingInputCall", "application/connect+json", frame, [false, true, false]),
      ("StreamingInputCall", "application/connect+proto", [0, 0, 0, 0, 0], [false, true, false]),
      ("StreamingInputCall", "application/grpc-web", [0, 0, 0, 0, 0], [false, true, false]),
      ("StreamingInputCall", "application/grpc-web-text", text, [false, true, false]),
    ] as [(String, String, [UInt8], [Bool])])
  func `a message is seen that is not whole, and ends the call`(
    method: String, type: String, message: [UInt8], expected: [Bool]
  ) async throws {
    let (fixture, acceptor) = try capturing()
    let call = fixture.open(method, type)
    let half = message.count / 2
    #expect(await on { acceptor.handler?.isMidMessage } == expected[0])
    call.write(Array(message[..<half]))
    #expect(await on { acceptor.handler?.isMidMessage } == expected[1])
    call.write(Array(message[half...]))
    #expect(await on { acceptor.handler?.isMidMessage } == expected[2])
    // The one message of a unary call is awaited still, as its end has not come.
    if !expected[2] { call.write(Array(message[..<half])) }
    _ = await on { acceptor.handler?.fail(.slowMessage) }
    #expect(await on { acceptor.handler?.isMidMessage } == false)
    call.finish()
    await call.end()
    switch type {
    case "application/json", "application/proto": #expect(call.status == 504)
    case "application/grpc-web": #expect(call.text.contains("grpc-status: 4"))
    case "application/grpc-web-text":
      #expect(
        String(decoding: Base64.decodeLeniently(call.text) ?? [], as: UTF8.self).contains("grpc-status: 4"))
    default: #expect(Frame.all(call.body).last?.text.contains("deadline_exceeded") == true)
    }
  }

  @Test func `a message that waits to be decompressed is whole`() async throws {
    let (fixture, acceptor) = try capturing()
    executor.useUpTick()
    let call = fixture.open(
      "StreamingInputCall", "application/connect+json", ["connect-content-encoding": "gzip"])
    let payload = try #require(gzip(Array(#"{"payload":{"body":"\#(String(repeating: "A", count: 400))"}}"#.utf8)))
    call.write(Frame(flags: 1, payload: payload).bytes + [0])
    #expect(await executor.waiting() == 1)
    #expect(await on { acceptor.handler?.isMidMessage } == false)
    await executor.tick()
    #expect(await on { acceptor.handler?.isMidMessage } == true)
    call.reset()
    await call.end()
  }
}
