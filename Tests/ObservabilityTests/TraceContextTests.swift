import Base
import Testing

@testable import Observability

@Suite struct TraceContextTests {
  static let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

  @Test func `a traceparent is read and written`() throws {
    let context = try #require(TraceContext(parents: [Self.valid], states: ["a=1"]))
    #expect(context.traceID == "0af7651916cd43dd8448eb211c80319c")
    #expect(context.spanID == 0xb7ad_6b71_6920_3331)
    #expect(context.isSampled && context.state == "a=1")
    #expect(context.traceParent == Self.valid)
  }

  @Test func `versions to come are read as far as they are known`() {
    let later = "cc" + Self.valid.dropFirst(2)
    #expect(TraceContext(parents: [later], states: []) != nil)
    #expect(TraceContext(parents: [later + "-what-the-future-will-be"], states: []) != nil)
    #expect(TraceContext(parents: [later + ".nothing"], states: []) == nil)
  }

  @Test func `flags that mean nothing here do not keep a trace`() {
    #expect(TraceContext(parents: [Self.valid.dropLast(2) + "fe"], states: [])?.isSampled == false)
    #expect(TraceContext(parents: [Self.valid.dropLast(2) + "ff"], states: [])?.isSampled == true)
  }

  @Test(arguments: [
    "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
    "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  ])
  func `anything else is no context`(text: String) {
    #expect(TraceContext(parents: [text], states: []) == nil)
  }

  @Test func `two traceparents are none`() {
    #expect(TraceContext(parents: [Self.valid, Self.valid], states: []) == nil)
    #expect(TraceContext(parents: [], states: ["a=1"]) == nil)
  }

  @Test(arguments: [
    (["a=1", "b=2"], "a=1,b=2"), (["a=1 , ,\tb=2,"], "a=1,b=2"), (["tenant@system=x"], "tenant@system=x"),
    (["0tenant@system=x"], "0tenant@system=x"), (["a_b-c*d/e=!~ x"], "a_b-c*d/e=!~ x"), ([""], ""),
    // Not valid: everything is dropped.
    (["a=1", "a=2"], ""), (["A=1"], ""), (["1a=1"], ""), (["a"], ""), (["a="], ""), (["a=1=2"], ""), (["a=\u{e9}"], ""),
    (["@b=1"], ""), (["a@=1"], ""), (["a@0b=1"], ""), (["a@b@c=1"], ""), (["a b=1"], ""),
    (["a@abcdefghijklmno=1"], ""),
  ])
  func `a tracestate is passed on if it is valid`(values: [String], expected: String) {
    #expect(TraceState.checked(values) == expected)
  }

  @Test func `a tracestate has a limit of members and of length`() {
    let many = (0...ObservabilityLimits.traceStateMembers).map { "k\($0)=v" }
    #expect(TraceState.checked([many.joined(separator: ",")]) == "")
    #expect(TraceState.checked([many.dropLast().joined(separator: ",")]) != "")
    // The long one goes first, then those at the end.
    let long = "long=" + String(repeating: "x", count: ObservabilityLimits.traceStateMember - 4)
    let others = (0..<31).map { "key\($0)=" + String(repeating: "v", count: 20) }
    let state = TraceState.checked([([others[0], long] + others.dropFirst()).joined(separator: ",")])
    #expect(state.utf8.count <= ObservabilityLimits.traceStateCharacters && state.utf8.count > 480)
    #expect(state.hasPrefix("key0=") && !state.contains("long"))
    // One that is shorter by a character goes in its turn, from the end.
    let kept = [others[0], String(long.dropLast())] + others.dropFirst()
    let shorter = TraceState.checked([kept.joined(separator: ",")])
    #expect(shorter.utf8.count <= ObservabilityLimits.traceStateCharacters && shorter.contains("long"))
    #expect(TraceState.checked([String(repeating: "a", count: 3000)]) == "")
  }

  @Test func `the share of kept traces is what was asked for, by the trace's id alone`() {
    let random = SeededRandomSource(seed: 7)
    let ratio = SampleRatio(0.25)
    let kept = (0..<4000).count { _ in TraceContext.root(random, sampling: ratio).isSampled }
    #expect((900...1100).contains(kept))
    #expect((0..<100).allSatisfy { _ in !TraceContext.root(random, sampling: SampleRatio(0)).isSampled })
    #expect((0..<100).allSatisfy { _ in TraceContext.root(random, sampling: SampleRatio(1)).isSampled })
    #expect(ratio.takes(traceLow: 0) && !ratio.takes(traceLow: .max))
  }
}
