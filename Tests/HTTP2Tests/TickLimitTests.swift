import Base
import Glibc
import Testing

@testable import HTTP2
@testable import RPC

/// What one tick of an event loop does at most of each kind of work, before it is the others' turn.
@Suite(.ownThread) struct TickLimitTests {
  private typealias T = RawPeer.FrameType

  /// How many entries each tick has, in order.
  private static func perTick(_ ticks: [UInt64]) -> [Int] {
    Dictionary(grouping: ticks) { $0 }.sorted { $0.key < $1.key }.map(\.value.count)
  }

  private static func withLoop(
    time: ManualTime? = nil, _ body: (EventLoop, EventLoopGroup) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(loops: 1, time: time)
    try await body(group.loops[0], group)
    await group.shutdown()
  }

  // MARK: Work

  @Test func `work that queues work goes on for workRoundsPerTick, then sockets get their turn`() async throws {
    try await Self.withLoop { loop, _ in
      let ticks = Locked([UInt64]())
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        loop.execute { Self.goOn(5 * HTTP2Limits.workRoundsPerTick, loop, ticks, done) }
      }
      #expect(Self.perTick(ticks.withLock { $0 }) == Array(repeating: HTTP2Limits.workRoundsPerTick, count: 5))
    }
  }

  private static func goOn(
    _ left: Int, _ loop: EventLoop, _ ticks: Locked<[UInt64]>, _ done: CheckedContinuation<Void, Never>
  ) {
    guard left > 0 else { return done.resume() }
    ticks.withLock { $0.append(loop.tickNumber) }
    loop.execute { goOn(left - 1, loop, ticks, done) }
  }

  // MARK: Sockets

  /// A descriptor that is ready once.
  private final class End: ReadinessHandler, @unchecked Sendable {
    // Unchecked because it is used on its loop only.
    let descriptor: Descriptor
    private let loop: EventLoop
    private let noteReady: @Sendable (UInt64) -> Void

    init(_ number: Int32, _ loop: EventLoop, _ noteReady: @escaping @Sendable (UInt64) -> Void) {
      descriptor = Descriptor(number)
      self.loop = loop
      self.noteReady = noteReady
    }

    func ready(_ readiness: Readiness) {
      loop.deregister(descriptor)
      noteReady(loop.tickNumber)
    }
  }

  @Test func `a tick takes eventsPerPoll from epoll`() async throws {
    OpenFiles.raiseLimit()
    let excess = 40
    let count = HTTP2Limits.eventsPerPoll + excess
    let ticks = Locked([UInt64]())
    try await Self.withLoop { loop, _ in
      // Both ends of a fresh pair of sockets can be written to.
      var numbers: [Int32] = []
      while numbers.count < count {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        numbers += ends
      }
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        let ends = numbers.map { number in
          End(number, loop) { tick in
            let isLast = ticks.withLock { ticks in
              ticks.append(tick)
              return ticks.count == count
            }
            if isLast { done.resume() }
          }
        }
        loop.execute {
          for end in ends { #expect(throws: Never.self) { try loop.register(end.descriptor, .write, end) } }
        }
      }
    }
    #expect(Self.perTick(ticks.withLock { $0 }) == [HTTP2Limits.eventsPerPoll, excess])
  }

  /// A listener at a name of its own, and clients that wait there.
  private static func listener(
    _ loop: EventLoop, clients count: Int, accept: @escaping Listener.Accept = { try Socket.accept($0) },
    onAccept: @escaping @Sendable () -> Void
  ) throws -> (Listener, [Client]) {
    let name = "unix-abstract:octet-tick-\(SystemRandomSource().next())"
    let listener = try Listener(
      #require(ListenAddress.cleartext(name)), loop: loop, accept: accept, onAccept: { _ in onAccept() })
    return (listener, try (0..<count).map { _ in try Client(listener.address.address) })
  }

  private final class Client {
    let socket: Descriptor

    init(_ address: SocketAddress) throws {
      socket = try Socket.connect(to: address)
      // Throws if the kernel's queue had no room.
      _ = try Socket.peerAddress(of: socket)
    }
  }

  @Test func `a tick takes acceptsPerTick connections`() async throws {
    OpenFiles.raiseLimit()
    let excess = 30
    let count = HTTP2Limits.acceptsPerTick + excess
    let ticks = Locked([UInt64]())
    try await Self.withLoop { loop, _ in
      let all = AsyncStream<Void>.makeStream()
      let (listener, clients) = try Self.listener(loop, clients: count) {
        let isLast = ticks.withLock { ticks in
          ticks.append(loop.tickNumber)
          return ticks.count == count
        }
        if isLast { all.continuation.finish() }
      }
      try await loop.value { Result { try listener.start() } }.get()
      for await _ in all.stream {}
      await loop.value { listener.stop() }
      #expect(clients.count == count)
    }
    #expect(Self.perTick(ticks.withLock { $0 }) == [HTTP2Limits.acceptsPerTick, excess])
  }

  @Test func `a listener without descriptors tries again after acceptPause`() async throws {
    let attempts = Locked(0)
    try await Self.withLoop(time: ManualTime()) { loop, group in
      let (refused, accepted) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
      let (listener, clients) = try Self.listener(
        loop, clients: 1,
        accept: { socket throws(SystemError) in
          let isFirst = attempts.withLock { attempts in
            attempts += 1
            return attempts == 1
          }
          guard isFirst else { return try Socket.accept(socket) }
          refused.continuation.finish()
          throw SystemError(operation: "accept4", code: EMFILE)
        }, onAccept: { accepted.continuation.finish() })
      try await loop.value { Result { try listener.start() } }.get()
      // The pause begins with the refusal, and its tick must be over before the clock moves.
      for await _ in refused.stream {}
      await loop.value {}
      // The client waits all the time, and epoll would tell of it in every tick.
      await group.advance(by: HTTP2Limits.acceptPause - .nanoseconds(1))
      for _ in 0..<10 { await group.advance(by: .zero) }
      #expect(attempts.withLock { $0 } == 1)
      await group.advance(by: .nanoseconds(1))
      await group.advance(by: .zero)
      try #require(attempts.withLock { $0 } > 1)
      for await _ in accepted.stream {}
      await loop.value { listener.stop() }
      #expect(clients.count == 1)
    }
  }

  // MARK: One connection

  @Test func `a connection has readsPerTick reads in a tick, each of a read buffer at most`() async throws {
    // Small ones, as a socket of the kernel's usual size does not hold what several of the real size take.
    let size = 4096
    let arrivals = Locked([(tick: UInt64, length: Int)]())
    let total = 3 << 14
    let all = AsyncStream<Void>.makeStream()
    let acceptor = ScriptedAcceptor { _, stream in
      HoldingHandler(
        stream,
        onChange: { handler in
          guard let loop = handler.stream.executor as? EventLoop else { return }
          arrivals.withLock { arrivals in
            let before = arrivals.reduce(0) { $0 + $1.length }
            arrivals.append((loop.tickNumber, handler.received - before))
          }
          if handler.received == total { all.continuation.finish() }
        })
    }
    let group = try EventLoopGroup(loops: 1, time: nil, readSize: size)
    let frame = RawPeer.frame(T.data, 0, 1, [UInt8](repeating: 7, count: 1 << 14))
    let octets = RawPeer.preface + RawPeer.frame(T.settings, 0, 0, []) + RawPeer.headers(1) + frame + frame + frame
    try await ServerEnd.run(acceptor, on: group) { end in
      await end.loop.value { end.sendAtOnce(octets) }
      for await _ in all.stream {}
    }
    let seen = arrivals.withLock { $0 }
    let perTick = size * HTTP2Limits.readsPerTick
    #expect(seen.map(\.length).max() == size)
    #expect(Set(seen.map(\.tick)).count == (octets.count + perTick - 1) / perTick)
  }

  @Test func `what a peer still sends after its connection has failed is read in the same portions`() async throws {
    let size = 4096
    let group = try EventLoopGroup(loops: 1, time: nil, readSize: size)
    let acceptor = ScriptedAcceptor { _, stream in HoldingHandler(stream) }
    var limits = HTTP2Limits()
    limits.lingerTimeout = .seconds(60)
    try await ServerEnd.run(acceptor, on: group, limits: limits) { end in
      // Nobody can open stream 2.
      let octets =
        RawPeer.preface + RawPeer.frame(T.settings, 0, 0, []) + RawPeer.headers(2)
        + [UInt8](repeating: 0, count: 24 * size)
      let unread = await end.eachTick(after: { end.sendAtOnce(octets) }) {
        let count = end.unreadOctets
        return count > 0 ? count : nil
      }
      let perTick = size * HTTP2Limits.readsPerTick
      // In the tick of the failure there is one more turn.
      #expect(zip(unread, unread.dropFirst()).allSatisfy { $0 - $1 <= 2 * perTick })
      #expect(unread.count >= 4, "\(unread)")
    }
  }

  /// Notes its streams, and answers with heads alone.
  private struct HeadsOnly: RequestAcceptor {
    let streams = Locked([any ServerStream]())

    func accept(_ head: RequestHead, on stream: any ServerStream) -> any ServerStreamHandler {
      streams.withLock { $0.append(stream) }
      stream.respond(status: 200, headers: HeaderList(), endStream: false)
      return HoldingHandler(stream)
    }

    /// What waits in all of them.
    var queuedOctets: Int { streams.withLock { $0.reduce(0) { $0 + $1.queuedBytes } } }
    func write(_ bytes: [UInt8]) { streams.withLock { for stream in $0 { stream.write(bytes) } } }
  }

  @Test(arguments: [1, 3000]) func `a connection has writesPerTick writes in a tick, each of a batch`(
    batch: Int
  ) async throws {
    let acceptor = HeadsOnly()
    let group = try EventLoopGroup(loops: 1, time: nil, batchSize: batch)
    try await ServerEnd.run(acceptor, on: group) { end in
      try end.peer.send(RawPeer.preface + RawPeer.frame(T.settings, 0, 0, []))
      for number in 0..<48 as Range<UInt32> { try end.peer.send(RawPeer.headers(2 * number + 1)) }
      try end.peer.synchronize()
      // Each stream has one frame to send.
      let length = 1000
      // The batch ends with the frame that makes it whole.
      let perWrite = (batch + length + 8) / (length + 9)
      let queued = await end.eachTick(after: { acceptor.write([UInt8](repeating: 7, count: length)) }) {
        acceptor.queuedOctets > 0 ? acceptor.queuedOctets : nil
      }
      let steps = zip(queued, queued.dropFirst()).map { $0 - $1 }
      #expect(!steps.isEmpty && steps.allSatisfy { $0 == HTTP2Limits.writesPerTick * perWrite * length }, "\(queued)")
    }
  }

  @Test func `no more than outputBatchSize waits for a peer that does not read`() async throws {
    let acceptor = HeadsOnly()
    let group = try EventLoopGroup(loops: 1, time: nil)
    try await ServerEnd.run(acceptor, on: group, sendBuffer: 4096) { end in
      // Windows of 4 MB.
      let window: [UInt8] = [0, 0x40, 0, 0]
      try end.peer.send(
        RawPeer.preface + RawPeer.frame(T.settings, 0, 0, [0, 4] + window)
          + RawPeer.frame(T.windowUpdate, 0, 0, window) + RawPeer.headers(1))
      try end.peer.synchronize()
      let total = 4 * HTTP2Limits.outputBatchSize
      await end.loop.value { acceptor.write([UInt8](repeating: 7, count: total)) }
      let (taken, waiting) = await end.loop.value { (total - acceptor.queuedOctets, end.connection.pending.count) }
      let frame = HTTP2Protocol.defaultFrameSize
      #expect((0...frame).contains(taken - HTTP2Limits.outputBatchSize), "\(taken)")
      #expect(waiting > 0 && waiting <= HTTP2Limits.outputBatchSize + frame + 1000)
    }
  }

  @Test func `a loop's read buffer is of readBufferSize`() async throws {
    try await Self.withLoop { loop, _ in #expect(loop.readBuffer.count == HTTP2Limits.readBufferSize) }
  }

  // MARK: Waits

  @Test func `a wait longer than shortestSleep is sleep, in which nothing waits`() async throws {
    for (excess, sleeps) in [(0, false), (1, true)] as [(Int64, Bool)] {
      // The clock is looked at before and after each wait, and moves on by as much.
      let time = ManualTime(step: .nanoseconds(HTTP2Limits.shortestSleep + excess))
      try await Self.withLoop(time: time) { loop, _ in
        await loop.value { loop.queueDelay?.want() }
        let intervals = 3 * RPCLimits.queueDelayInterval.inNanoseconds / HTTP2Limits.shortestSleep
        for _ in 0..<intervals { await loop.value {} }
        var standing = await loop.value { loop.queueDelay?.standingDelay }
        // It has not slept where for a whole interval there was work whenever it was about to.
        var left = 100 * intervals
        while sleeps, standing != .zero, left > 0 {
          standing = await loop.value { loop.queueDelay?.standingDelay }
          left -= 1
        }
        #expect((standing == .zero) == sleeps, "\(String(describing: standing))")
      }
    }
  }
}
