import Base
import Compression
import Synchronization
import Testing

@testable import RPC

/// Calls whose compressed messages wait for later ticks.
struct InflatingInTurnTests {
  /// More than half of a tick's share, so that two of them use it up.
  private static let messageBytes = 600_000

  /// A server whose ticks a test counts, and whose first tick has nothing left.
  private struct House {
    let turns = InflateTurns()
    let executor: ManualTimerExecutor
    let fixture: Fixture
    let acceptor: WeakAcceptor
    let transport: InProcessTransport
    /// The first octets of the messages that handlers have seen.
    let seen = Locked([UInt8]())

    init() async {
      executor = ManualTimerExecutor(inflating: turns)
      let seen = seen
      fixture = Fixture(executor: executor) {
        $0.unary(TestMethods.unary) { (request: RawMessage, _) in
          await Task.yield()
          seen.withLock { $0.append(request.bytes.first ?? 0) }
          return RawMessage(Array("\(request.bytes.count)".utf8))
        }
        $0.unary(TestMethods.synchronous) { (request: RawMessage, _) -> RawMessage in
          seen.withLock { $0.append(request.bytes.first ?? 0) }
          return RawMessage(Array("\(request.bytes.count)".utf8))
        }
        $0.clientStreaming(TestMethods.upload) { (requests: RequestReader<RawMessage>, _) in
          var total = 0
          while let request = try await requests.next() {
            seen.withLock { $0.append(request.bytes.first ?? 0) }
            total += request.bytes.count
          }
          return RawMessage(Array("\(total)".utf8))
        }
      }
      acceptor = WeakAcceptor(fixture.server)
      transport = InProcessTransport(acceptor: acceptor, executor: executor)
      let turns = turns
      executor.execute { turns.spend(RPCLimits.inflatedBytesPerTick) }
    }

    func open(_ method: MethodDescriptor, timeout: String? = nil) -> RawExchange {
      var headers = RawExchange.headers
      headers.append("grpc-encoding", "gzip")
      if let timeout { headers.append("grpc-timeout", timeout) }
      return RawExchange(transport, path: method.path, headers: headers)
    }

    /// A whole request of one message.
    func call(_ method: MethodDescriptor, _ first: UInt8, timeout: String? = nil) throws -> RawExchange {
      let call = open(method, timeout: timeout)
      call.send(try House.message(first), flag: 1)
      call.finish()
      return call
    }

    static func message(_ first: UInt8) throws -> [UInt8] {
      let compressed = Gzip.compress(([first] + [UInt8](repeating: 7, count: messageBytes - 1)).span)
      return try #require(compressed)
    }

    func tick() async {
      let turns = turns
      executor.execute {
        turns.tickBegan()
        turns.takeTurns()
      }
      await executor.settle()
    }

    func waiting() async -> Int {
      await executor.settle()
      let turns = turns
      return await withCheckedContinuation { continuation in
        executor.execute { continuation.resume(returning: turns.waitingCount) }
      }
    }

    var seenSoFar: [UInt8] { seen.withLock { $0 } }
  }

  /// Passes requests on, and knows which calls of them are still in memory.
  private final class WeakAcceptor: RequestAcceptor {
    private struct Reference: @unchecked Sendable {
      // Only asked whether it is there.
      weak var handler: (any ServerStreamHandler)?
    }

    private let server: RPCServer
    private let references = Locked([Reference]())

    init(_ server: RPCServer) {
      self.server = server
    }

    func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
      let handler = server.accept(head, on: stream)
      references.withLock { $0.append(Reference(handler: handler)) }
      return handler
    }

    var living: Int { references.withLock { $0.count { $0.handler != nil } } }
  }

  private func text(_ call: RawExchange) -> String { String(decoding: call.body.dropFirst(5), as: UTF8.self) }

  @Test(arguments: [TestMethods.unary, TestMethods.synchronous])
  func `waiting unary calls go on in order, as many in a tick as it has room for`(
    _ method: MethodDescriptor
  ) async throws {
    let house = await House()
    let calls = try (1...5).map { try house.call(method, $0) }
    #expect(await house.waiting() == 5)
    #expect(house.seenSoFar.isEmpty)
    for count: UInt8 in [2, 4, 5] {
      await house.tick()
      #expect(house.seenSoFar == Array(1...count))
    }
    for call in calls {
      #expect(await call.end().grpcStatus == "0")
      #expect(text(call) == "\(Self.messageBytes)")
    }
    #expect(await house.waiting() == 0)
    #expect(house.turns.mostPerTick <= RPCLimits.inflatedBytesPerTick + Self.messageBytes)
    #expect(house.fixture.server.gathered.load(ordering: .relaxed) == 0)
  }

  @Test func `waiting streams go on in order, as many messages in a tick as it has room for`() async throws {
    let house = await House()
    let call = house.open(TestMethods.upload)
    for first: UInt8 in 1...5 { call.send(try House.message(first), flag: 1) }
    call.finish()
    #expect(await house.waiting() == 1)
    #expect(house.seenSoFar.isEmpty)
    for count: UInt8 in [2, 4, 5] {
      await house.tick()
      #expect(house.seenSoFar == Array(1...count))
    }
    #expect(await call.end().grpcStatus == "0")
    #expect(text(call) == "\(5 * Self.messageBytes)")
    #expect(house.turns.mostPerTick <= RPCLimits.inflatedBytesPerTick + Self.messageBytes)
  }

  @Test func `a message that cannot be decompressed fails its call at its turn, and only that`() async throws {
    let house = await House()
    for method in [TestMethods.unary, TestMethods.upload] {
      let bad = house.open(method)
      bad.send([1, 2, 3], flag: 1)
      bad.finish()
      let good = try house.call(method, 9)
      #expect(await house.waiting() == 2)
      while await house.waiting() > 0 { await house.tick() }
      #expect(await bad.end().grpcStatus == "13")
      #expect(await good.end().grpcStatus == "0")
      house.executor.execute { house.turns.spend(RPCLimits.inflatedBytesPerTick) }
    }
  }

  @Test(arguments: [TestMethods.unary, TestMethods.synchronous, TestMethods.upload])
  func `a waiting call that is cancelled lets go of its request and gives its turn on`(
    _ method: MethodDescriptor
  ) async throws {
    let house = await House()
    let cancelled = try house.call(method, 1)
    let other = try house.call(method, 2)
    #expect(await house.waiting() == 2)
    #expect(house.acceptor.living == 2)
    cancelled.reset()
    await cancelled.end()
    // Without a tick.
    #expect(await house.waiting() == 1)
    #expect(house.acceptor.living == 1, "the call is held by nobody")
    await house.tick()
    #expect(house.seenSoFar == [2])
    #expect(await other.end().grpcStatus == "0")
    #expect(await house.waiting() == 0)
    #expect(house.fixture.server.gathered.load(ordering: .relaxed) == 0)
  }

  @Test func `of calls that were cancelled no turns are left, however many they were`() async throws {
    let house = await House()
    let calls = try (0..<200).map { try house.call(TestMethods.unary, UInt8($0)) }
    #expect(await house.waiting() == 200)
    for call in calls { call.reset() }
    #expect(await house.waiting() == 0)
    #expect(house.acceptor.living == 0)
    #expect(house.seenSoFar.isEmpty)
  }

  @Test(arguments: [TestMethods.unary, TestMethods.synchronous, TestMethods.upload])
  func `a deadline ends a waiting call`(_ method: MethodDescriptor) async throws {
    let house = await House()
    let call = try house.call(method, 1, timeout: "7S")
    #expect(await house.waiting() == 1)
    house.executor.fireTimers(of: .seconds(7))
    #expect(await call.end().grpcStatus == "4")
    #expect(await house.waiting() == 0)
    await house.tick()
    #expect(house.seenSoFar.isEmpty)
    #expect(house.acceptor.living == 0)
  }

  @Test func `a call that waited has its time from its deadline still`() async throws {
    let house = await House()
    let call = try house.call(TestMethods.unary, 3, timeout: "7S")
    #expect(await house.waiting() == 1)
    await house.tick()
    #expect(await call.end().grpcStatus == "0")
    #expect(!house.executor.pendingDelays.contains(.seconds(7)))
  }

  @Test func `nobody who comes while others wait goes before them`() async throws {
    let house = await House()
    let first = try house.call(TestMethods.unary, 1)
    #expect(await house.waiting() == 1)
    house.executor.execute { house.turns.tickBegan() }
    let second = try house.call(TestMethods.unary, 2)
    #expect(await house.waiting() == 2)
    await house.tick()
    #expect(house.seenSoFar == [1, 2])
    for call in [first, second] { #expect(await call.end().grpcStatus == "0") }
  }
}

extension TestMethods {
  static let synchronous = MethodDescriptor(service: "test.Service", name: "Synchronous", kind: .unary)
}
