import Base
import RPC
import Testing

/// What a queue's delay is said to be, by a clock in the test's hands.
struct QueueDelayTests {
  private func delay(_ batches: [(at: Int64, after: Int64)]) -> Duration {
    let delay = QueueDelay { 0 }
    for batch in batches { delay.batchBegan(at: batch.at * 1_000_000, after: batch.after * 1_000_000) }
    return delay.standingDelay
  }

  @Test func `a burst is no standing queue`() {
    #expect(delay([(0, 0), (90, 80), (91, 1), (202, 50), (203, 0), (320, 60)]) == .zero)
  }

  @Test func `the first burst of all is no standing queue either`() {
    #expect(delay([(1000, 30), (1030, 30), (1060, 30), (1090, 30), (1091, 0), (1120, 29)]) == .zero)
  }

  @Test func `one long piece of work is no standing queue`() {
    #expect(delay([(0, 0), (200, 0), (201, 0), (900, 699), (901, 1), (902, 0), (1100, 0)]) < .milliseconds(20))
  }

  @Test func `a queue stands when everything waits for a whole interval`() {
    #expect(delay([(0, 0), (40, 30), (80, 40), (120, 40)]) == .milliseconds(30))
  }

  @Test func `a queue stands when batches are longer than the interval`() {
    #expect(delay([(0, 0), (300, 299), (600, 300), (901, 301)]) == .milliseconds(299))
  }

  @Test func `a pause ends it`() {
    #expect(delay([(0, 0), (40, 30), (120, 40), (5000, 0), (5001, 1), (5102, 0)]) == .zero)
  }
}
