import Base
import Testing

@testable import Streaming

/// The state machine alone: events reach it in any order, twice or not at all, pages come late.
@Suite struct SubscriptionStateTests {
  private func event(_ sequence: UInt64) -> TopicEvent {
    TopicEvent(TopicPosition(sequence: sequence, born: 0), payload: [])
  }

  private func announce(_ state: inout SubscriptionState, _ sequence: UInt64) {
    state.announce(event(sequence)) { "token \($0)" }
  }

  @Test func `an event that overtakes another one sends the reader back to the database`() {
    var state = SubscriptionState(after: 0, limits: TopicLimits())
    state.start(after: TopicPosition(sequence: 0, born: 0))
    announce(&state, 2)
    announce(&state, 1)
    guard case .load(let after) = state.next() else { return #expect(Bool(false), "a gap must be loaded") }
    #expect(after == 0)
    state.loaded([event(1), event(2)])
    #expect(state.mode == .live)
  }

  @Test func `what commits between the page and its arrival is loaded as well`() {
    var state = SubscriptionState(after: 0, limits: TopicLimits())
    announce(&state, 1)
    announce(&state, 2)
    state.loaded([event(1)])
    #expect(state.mode == .replaying)
    state.loaded([event(2)])
    #expect(state.mode == .live)
  }

  @Test func `a full page is followed by another one`() {
    var limits = TopicLimits()
    limits.pageEvents = 2
    var state = SubscriptionState(after: 0, limits: limits)
    state.loaded([event(1), event(2)])
    #expect(state.mode == .replaying)
    state.loaded([])
    #expect(state.mode == .live)
  }

  @Test func `an ended state stays ended, with its first reason`() {
    var state = SubscriptionState(after: 0, limits: TopicLimits())
    state.end(.closed)
    state.end(.resumeTokenTooOld)
    announce(&state, 1)
    state.loaded([event(1)])
    #expect(state.mode == .ended(.closed))
  }

  @Test(arguments: 0..<200) func `any interleaving gives every event once and in order`(seed: Int) {
    let random = SeededRandomSource(seed: UInt64(seed))
    var limits = TopicLimits()
    limits.pageEvents = 3
    var state = SubscriptionState(after: 0, limits: limits)
    let total: UInt64 = 60
    var committed: UInt64 = 0
    var undelivered: [UInt64] = []
    var pendingPage: [TopicEvent]?
    var taken: [UInt64] = []
    while taken.count < Int(total) {
      switch random.below(4) {
      case 0 where committed < total:
        committed += 1
        // Lost in a tenth of the cases: then a later one shows the gap. The last one must arrive.
        if random.below(10) > 0 || committed == total { undelivered.append(committed) }
      case 1 where !undelivered.isEmpty:
        let index = Int(random.below(UInt64(undelivered.count)))
        announce(&state, undelivered[index])
        // Sometimes it comes again.
        if random.below(4) > 0 { undelivered.remove(at: index) }
      case 2:
        guard let page = pendingPage else { continue }
        state.loaded(page)
        pendingPage = nil
      default:
        guard pendingPage == nil else { continue }
        switch state.next() {
        case .take(let event): taken.append(event.sequence)
        case .load(let after):
          let end = min(committed, after + UInt64(limits.pageEvents))
          pendingPage = after < end ? ((after + 1)...end).map { event($0) } : []
        case .wait: break
        case .end(let error):
          Issue.record("seed \(seed): \(error)")
          return
        }
      }
    }
    #expect(taken == Array(1...total))
  }
}
