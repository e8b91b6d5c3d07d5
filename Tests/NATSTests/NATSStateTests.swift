import Testing

@testable import NATS

struct NATSStateTests {
  private func connected(_ limits: NATSLimits) -> NATSState {
    var state = NATSState(limits: limits)
    state.introduce("CONNECT {}\r\n")
    _ = state.takeOutput()
    state.unwritten = 0
    _ = state.ponged()
    return state
  }

  @Test func `drops messages while outputBytes wait for the socket, and takes them again after`() throws {
    var limits = NATSLimits()
    limits.outputBytes = 100
    var state = connected(limits)
    // PUB a 30 CR LF, 30 bytes, CR LF
    let message = [UInt8](repeating: 0, count: 30)
    let first = state.publish("a", message)
    let second = state.publish("a", message)
    #expect(first && !second)
    _ = state.publish("a", message)
    #expect(state.figures.published == 2)
    #expect(state.figures.dropped == 1)
    #expect(state.takeOutput().count == 84)
    // What the thread has taken counts until it is written.
    _ = state.publish("a", message)
    #expect(state.figures.dropped == 2)
    state.unwritten = 0
    _ = state.publish("a", message)
    #expect(state.figures.published == 3)
  }

  @Test func `ends the connection to a server that pings and reads nothing`() {
    var limits = NATSLimits()
    limits.outputBytes = 100
    var state = connected(limits)
    #expect(throws: NATSError.self) {
      for _ in 0..<100 { try state.pong() }
    }
  }

  @Test func `tells of an interruption only when the server has the subscription`() {
    var state = connected(NATSLimits())
    state.interruptions[1] = {}
    state.ping(confirmingSubscriptions: false)
    _ = state.subscribe("a") { _ in }
    #expect(state.ponged().isEmpty)
    #expect(state.ponged().count == 1)
    #expect(state.ponged().isEmpty)
  }

  @Test func `each reason why there is no server is told once until there is one, and reasonsTold at most`() {
    func failure(_ number: Int) -> NATSError { NATSError(operation: "connect", message: "\(number)") }
    var limits = NATSLimits()
    limits.reasonsTold = 3
    var state = connected(limits)
    #expect(state.figures.isConnected)
    for round in 0..<2 {
      let told = (0..<10).map { state.disconnected(failure($0 / 2)) }
      #expect(told == [failure(0), nil, failure(1), nil, failure(2), nil, nil, nil, nil, nil], "round \(round)")
      #expect(!state.figures.isConnected && state.figures.lastError == failure(4))
      state.introduce("CONNECT {}\r\n")
      // What the server complains of says more than that it is gone then.
      state.failed(failure(7))
      #expect(state.disconnected(failure(8)) == nil)
      state.introduce("CONNECT {}\r\n")
      _ = state.ponged()
      #expect(state.figures.isConnected)
    }
    state.failed(failure(9))
    #expect(state.disconnected(failure(0)) == failure(9))
    #expect(state.disconnected(nil) == nil, "the bus was closed")
  }

  @Test func `the wait between attempts begins with firstReconnectDelay and ends with longestReconnectDelay`() {
    let limits = NATSLimits()
    let delays = (1...100).map { limits.reconnectDelay(afterFailures: $0) }
    #expect(delays.first == limits.firstReconnectDelay)
    #expect(delays[1] == limits.firstReconnectDelay * 2)
    #expect(delays.last == limits.longestReconnectDelay)
    #expect(delays == delays.sorted())
  }
}
