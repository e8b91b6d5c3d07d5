import Base
import RPC
import Testing

/// What is kept of a channel's events.
struct InspectedTraceTests {
  @Test func theLatestEventsAreKeptAndAllAreCounted() {
    let start = Instant(seconds: 1000)
    var trace = InspectedTrace(created: start)
    for number in 0..<100 {
      trace.add(InspectedEvent("\(number)", time: start + .seconds(number)))
    }
    #expect(trace.created == start && trace.count == 100)
    #expect(trace.events.map(\.text) == (100 - RPCLimits.tracedEvents..<100).map { "\($0)" })
    #expect(trace.events.last?.time == start + .seconds(99))
  }

  @Test func aTextThatIsTooLongIsCut() {
    var trace = InspectedTrace(created: Instant(seconds: 0))
    let longest = String(repeating: "a", count: RPCLimits.tracedCharacters)
    trace.add(InspectedEvent(longest, time: trace.created))
    trace.add(InspectedEvent(longest + "b", time: trace.created))
    #expect(trace.events[0].text == longest)
    #expect(trace.events[1].text == longest.dropLast() + "…")
    // One character for people, as long as a peer likes.
    trace.add(InspectedEvent("a" + String(repeating: "\u{301}", count: 10_000), time: trace.created))
    #expect(trace.events[2].text.unicodeScalars.count == RPCLimits.tracedCharacters)
  }
}
