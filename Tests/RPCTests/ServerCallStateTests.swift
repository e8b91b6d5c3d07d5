import Testing

@testable import RPC

struct ServerCallStateTests {
  @Test func sendsTheHeadOnceBeforeTheFirstMessage() {
    var state = ServerCallState()
    #expect(state.write() == .headFirst)
    #expect(state.write() == .plain)
    #expect(state.end(failed: false) == .trailers)
    #expect(state.write() == .refused)
  }

  @Test func failsWithTrailersOnlyBeforeTheHead() {
    var state = ServerCallState()
    #expect(state.end(failed: true) == .trailersOnly)
    #expect(state.hasEnded)
    #expect(state.end(failed: true) == .nothing)
  }

  @Test func failsWithTrailersAfterTheHead() {
    var state = ServerCallState()
    _ = state.write()
    #expect(state.end(failed: true) == .trailers)
  }

  @Test func endsAnEmptyStreamWithHeadAndTrailers() {
    var state = ServerCallState()
    #expect(state.end(failed: false) == .headFirst)
  }

  @Test func saysWhetherAClosedStreamHadACallUnderWay() {
    var state = ServerCallState()
    let wasUnderWay = state.close()
    let isUnderWay = state.close()
    #expect(wasUnderWay && !isUnderWay)
    #expect(state.end(failed: false) == .nothing)
  }
}
