import Base
import Testing

@testable import RPC

/// What a transport learns that has to judge how fast a request comes.
struct MidMessageTests {
  /// A server and one request, in the test's hands on both sides.
  private struct House {
    let fixture: Fixture
    let call: RawExchange
    private let acceptor: CapturingAcceptor

    init(_ method: MethodDescriptor, hold: Signal? = nil) async {
      fixture = Fixture {
        $0.unary(TestMethods.unary) { (request: RawMessage, _) in request }
        $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
          await hold?.wait()
          while try await requests.next() != nil {}
          return RawMessage()
        }
      }
      acceptor = CapturingAcceptor(fixture.server)
      let transport = InProcessTransport(acceptor: acceptor, executor: fixture.executor)
      call = RawExchange(transport, path: method.path)
      await fixture.executor.settle()
    }

    func isMidMessage() async -> Bool {
      await fixture.executor.settle()
      let acceptor = acceptor
      return await withCheckedContinuation { continuation in
        fixture.executor.execute { continuation.resume(returning: acceptor.handler?.isMidMessage ?? false) }
      }
    }

    func failForSlowness() {
      let acceptor = acceptor
      fixture.executor.execute { acceptor.handler?.fail(.slowMessage) }
    }
  }

  private final class CapturingAcceptor: RequestAcceptor, @unchecked Sendable {
    // Unchecked: touched on the executor only.
    private let server: RPCServer
    private(set) var handler: (any ServerStreamHandler)?

    init(_ server: RPCServer) {
      self.server = server
    }

    func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
      let made = server.accept(head, on: stream)
      handler = made
      return made
    }
  }

  @Test func `a request of one message is awaited from its head on`() async {
    let house = await House(TestMethods.unary)
    #expect(await house.isMidMessage())
    house.call.write([0, 0])
    #expect(await house.isMidMessage())
    house.failForSlowness()
    #expect(await house.call.end().grpcStatus == "4")
    #expect(house.call.closure == nil)
    #expect(await !house.isMidMessage())
  }

  @Test func `a stream is within a message or between two`() async {
    let house = await House(TestMethods.upload)
    #expect(await !house.isMidMessage())
    for _ in 0..<2 {
      house.call.write([0])
      #expect(await house.isMidMessage())
      house.call.write([0, 0, 0, 2, 7])
      #expect(await house.isMidMessage())
      house.call.write([8])
      #expect(await !house.isMidMessage())
    }
    house.call.write([0])
    house.failForSlowness()
    #expect(await house.call.end().grpcStatus == "4")
    #expect(await !house.isMidMessage())
  }

  @Test func `while a whole message waits to be read, the next is not awaited`() async {
    let hold = Signal()
    let house = await House(TestMethods.upload, hold: hold)
    house.call.send([1])
    house.call.write([0, 0])
    #expect(await !house.isMidMessage())
    hold.fire()
    #expect(await house.isMidMessage())
    house.call.reset()
    await house.call.end()
  }

  @Test func `nothing is ended that has an answer`() async {
    let house = await House(TestMethods.unary)
    house.call.send([5])
    house.call.finish()
    await house.fixture.executor.settle()
    house.failForSlowness()
    #expect(await house.call.end().grpcStatus == "0")
  }
}
