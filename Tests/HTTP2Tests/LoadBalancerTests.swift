import Base
import RPC
import Testing

@testable import HTTP2

/// What the load balancers decide: pure values, told what happens.
@Suite struct LoadBalancerTests {
  private static func address(_ number: Int) -> SocketAddress { .ipv4([127, 0, 0, UInt8(number)], port: 1) }
  private static func address6(_ number: Int) -> SocketAddress {
    .ipv6(Array(repeating: 0, count: 15) + [UInt8(number)], port: 1)
  }
  private let a = address(1)
  private let b = address(2)
  private let c = address(3)

  // MARK: pick_first

  @Test func `nothing is connected to before somebody wants it`() {
    var balancer = PickFirst()
    #expect(balancer.resolved([a, b]) == [])
    #expect(balancer.state == .idle)
    #expect(balancer.wake() == [.connect(a), .startAttemptTimer])
    #expect(balancer.state == .connecting)
    #expect(balancer.wake() == [])
  }

  @Test func `addresses are awaited`() {
    var balancer = PickFirst()
    #expect(balancer.wake() == [])
    #expect(balancer.state == .connecting)
    #expect(balancer.resolved([a]) == [.connect(a), .stopAttemptTimer])
  }

  @Test func `each attempt has a head start, and the first connection wins`() {
    var balancer = PickFirst()
    _ = balancer.resolved([a, b, c])
    _ = balancer.wake()
    #expect(balancer.attemptDelayPassed() == [.connect(b), .startAttemptTimer])
    #expect(balancer.attemptDelayPassed() == [.connect(c), .stopAttemptTimer])
    #expect(balancer.changed(b, .ready) == [.stopAttemptTimer, .disconnect(a), .disconnect(c)])
    #expect(balancer.state == .ready)
    #expect(balancer.ready == [b])
  }

  @Test func `a failure starts the next at once`() {
    var balancer = PickFirst()
    _ = balancer.resolved([a, b])
    _ = balancer.wake()
    #expect(balancer.changed(a, .failed("no")) == [.connect(b), .stopAttemptTimer])
    #expect(balancer.state == .connecting)
    #expect(balancer.changed(b, .failed("neither")) == [.stopAttemptTimer, .resolve])
    #expect(balancer.state == .transientFailure)
    #expect(balancer.failure == "127.0.0.2:1: neither")
  }

  @Test
  func `after a failure of all each is tried again when its backoff is over, and it counts as failing until then`() {
    var balancer = PickFirst()
    _ = balancer.resolved([a, b])
    _ = balancer.wake()
    _ = balancer.changed(a, .failed("x"))
    _ = balancer.changed(b, .failed("x"))
    #expect(balancer.changed(b, .idle) == [.connect(b)])
    #expect(balancer.state == .transientFailure)
    #expect(balancer.changed(b, .failed("x")) == [.stopAttemptTimer, .resolve])
    #expect(balancer.changed(a, .idle) == [.connect(a)])
    #expect(balancer.changed(a, .ready) == [.stopAttemptTimer])
    #expect(balancer.state == .ready)
  }

  @Test func `a lost connection leaves it idle, and the addresses are asked for`() {
    var balancer = PickFirst()
    _ = balancer.resolved([a])
    _ = balancer.wake()
    _ = balancer.changed(a, .ready)
    #expect(balancer.changed(a, .idle) == [.resolve])
    #expect(balancer.state == .idle)
    #expect(balancer.ready == [])
    #expect(balancer.wake() == [.connect(a), .stopAttemptTimer])
  }

  @Test func `a connection is kept while its address is one of the new ones`() {
    var balancer = PickFirst()
    _ = balancer.resolved([a, b])
    _ = balancer.wake()
    _ = balancer.changed(a, .ready)
    #expect(balancer.resolved([c, a]) == [])
    #expect(balancer.ready == [a])
    #expect(balancer.resolved([c]) == [.connect(c), .stopAttemptTimer])
    #expect(balancer.ready == [])
    #expect(balancer.state == .connecting)
    // What has been left does not count any more.
    #expect(balancer.changed(a, .failed("x")) == [])
  }

  @Test func `families take turns, beginning with that of the best address`() {
    let six = (1...3).map(Self.address6)
    #expect(PickFirst.interleaved(six + [a, b]) == [six[0], a, six[1], b, six[2]])
    #expect(PickFirst.interleaved([a, b, six[0]]) == [a, six[0], b])
    #expect(PickFirst.interleaved([]) == [])
  }

  @Test func `each client has an order of its own if it is to shuffle`() {
    let addresses = (1...20).map(Self.address)
    func first(_ seed: UInt64) -> [BalancerAction] {
      var balancer = PickFirst(shuffle: SeededRandomSource(seed: seed))
      _ = balancer.resolved(addresses)
      return balancer.wake()
    }
    #expect(Set((0..<40).map { "\(first(UInt64($0)))" }).count > 5)
  }

  // MARK: round_robin

  @Test func `all addresses are connected to, and those that are ready get requests`() {
    var balancer = RoundRobin()
    #expect(balancer.resolved([a, b]) == [])
    #expect(balancer.state == .idle)
    #expect(balancer.wake() == [.connect(a), .connect(b)])
    #expect(balancer.state == .connecting)
    #expect(balancer.changed(b, .ready) == [])
    #expect(balancer.state == .ready)
    #expect(balancer.ready == [b])
    #expect(balancer.changed(a, .failed("x")) == [.resolve])
    #expect(balancer.ready == [b])
    #expect(balancer.changed(a, .idle) == [.connect(a)])
    #expect(balancer.changed(a, .ready) == [])
    #expect(balancer.ready == [a, b])
  }

  @Test func `it fails when all fail, also while they try again`() {
    var balancer = RoundRobin()
    _ = balancer.resolved([a, b])
    _ = balancer.wake()
    _ = balancer.changed(a, .failed("x"))
    #expect(balancer.state == .connecting)
    _ = balancer.changed(b, .failed("y"))
    #expect(balancer.state == .transientFailure)
    #expect(balancer.failure == "127.0.0.2:1: y")
    _ = balancer.changed(a, .idle)
    #expect(balancer.state == .transientFailure)
    _ = balancer.changed(a, .ready)
    #expect(balancer.state == .ready)
  }

  @Test func `a lost connection is made again at once, and the addresses are asked for`() {
    var balancer = RoundRobin()
    _ = balancer.resolved([a])
    _ = balancer.wake()
    _ = balancer.changed(a, .ready)
    #expect(balancer.changed(a, .idle) == [.resolve, .connect(a)])
  }

  @Test func `only what is new is connected to`() {
    var balancer = RoundRobin()
    _ = balancer.resolved([a, b])
    _ = balancer.wake()
    _ = balancer.changed(a, .ready)
    #expect(balancer.resolved([a, c]) == [.connect(c)])
    #expect(balancer.ready == [a])
  }
}
