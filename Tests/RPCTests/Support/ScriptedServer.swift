import Base
import RPC

/// A server whose answers a test writes, request by request.
final class ScriptedServer: RequestAcceptor {
  private let requests = Locked([ScriptedRequest]())
  private let answer: @Sendable (Int, ScriptedRequest) -> Void

  /// - Parameter answer: called when a request is complete, with its number from 0.
  init(_ answer: @escaping @Sendable (Int, ScriptedRequest) -> Void) {
    self.answer = answer
  }

  /// All that have come.
  var seen: [ScriptedRequest] { requests.withLock { $0 } }

  func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
    requests.withLock { requests in
      let request = ScriptedRequest(requests.count, head, stream, answer)
      requests.append(request)
      return request
    }
  }
}

/// A request, with its answer in the test's hands. The answers are to be given on its executor.
final class ScriptedRequest: ServerStreamHandler, @unchecked Sendable {
  // Unchecked: confined to the executor; tests look at it when nothing happens.
  let number: Int
  let head: RequestHead
  let stream: any ServerStream
  private let answer: @Sendable (Int, ScriptedRequest) -> Void
  private(set) var body: [UInt8] = []
  /// Why the stream ended; nil before the end and after a regular one.
  private(set) var closure: StreamClosure?
  private(set) var isClosed = false

  init(
    _ number: Int, _ head: RequestHead, _ stream: any ServerStream,
    _ answer: @escaping @Sendable (Int, ScriptedRequest) -> Void
  ) {
    self.number = number
    self.head = head
    self.stream = stream
    self.answer = answer
  }

  func receive(_ bytes: Span<UInt8>) {
    for index in bytes.indices { body.append(bytes[index]) }
    stream.consumed(bytes.count)
  }
  func receiveEnd() { answer(number, self) }
  func drained() {}
  func closed(_ reason: StreamClosure?) {
    closure = reason
    isClosed = true
  }

  var previousAttempts: String? { head.headers.first("grpc-previous-rpc-attempts") }

  /// A trailers-only answer.
  func fail(_ code: StatusCode, pushback: String? = nil) {
    var headers: HeaderList = ["content-type": "application/grpc", "grpc-status": "\(code.rawValue)"]
    if let pushback { headers.append("grpc-retry-pushback-ms", pushback) }
    stream.respond(status: 200, headers: headers, endStream: true)
  }

  func begin() {
    stream.respond(status: 200, headers: ["content-type": "application/grpc", "x-head": "1"], endStream: false)
  }

  func succeed(_ payload: [UInt8] = []) {
    begin()
    stream.write(EncodedMessage(RawMessage(payload)).bytes)
    stream.finish(trailers: ["grpc-status": "0", "x-trailer": "2"])
  }

  /// Answers later, from the test.
  func later(_ body: @escaping @Sendable (ScriptedRequest) -> Void) { stream.executor.execute { body(self) } }
}

/// A channel to a scripted server, with time and chance in the test's hands.
struct ScriptedFixture {
  let executor = ManualTimerExecutor()
  let clock = ManualClock()
  let server: ScriptedServer
  let channel: RPCChannel

  init(_ config: ServiceConfig?, _ answer: @escaping @Sendable (Int, ScriptedRequest) -> Void) {
    server = ScriptedServer(answer)
    channel = RPCChannel(
      transport: InProcessTransport(acceptor: server, executor: executor), authority: "test", serviceConfig: config,
      clock: clock, random: MiddleRandomSource())
  }

  func unary(_ payload: [UInt8] = [7], options: CallOptions = CallOptions()) async -> Result<[UInt8], RPCError> {
    do {
      let reply: RawMessage = try await channel.unary(TestMethods.unary, RawMessage(payload), options: options)
      return .success(reply.bytes)
    } catch {
      return .failure(error as? RPCError ?? RPCError(.unknown, "\(error)"))
    }
  }

  /// Waits until there is a timer with this delay, and lets it go off.
  func fire(_ delay: Duration) async {
    await waits(delay)
    executor.fireTimers(of: delay)
    // The same delay may come again: it is to be another timer then.
    await executor.settle()
  }

  /// Waits until there is a timer with this delay.
  func waits(_ delay: Duration) async {
    while !executor.pendingDelays.contains(delay) { await executor.settle() }
  }

  /// How many bytes of each request have come.
  func received() async -> [Int] { await executor.value { [server] in server.seen.map(\.body.count) } }

  /// Waits until the server has seen so many requests whole or in part.
  func requests(_ count: Int) async -> [ScriptedRequest] {
    repeat { await executor.settle() } while server.seen.count < count
    return server.seen
  }
}

/// Always the middle of a range, so that nothing is jittered.
struct MiddleRandomSource: RandomSource {
  func next() -> UInt64 { 1 << 63 }
}

extension Result<[UInt8], RPCError> {
  var code: StatusCode {
    switch self {
    case .success: .ok
    case .failure(let error): error.code
    }
  }
}
