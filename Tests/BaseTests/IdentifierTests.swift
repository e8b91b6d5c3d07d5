import Base
import Testing

@Suite struct IdentifierTests {
  @Test func `rises strictly, also within a millisecond and when the clock steps back`() {
    let clock = ManualClock()
    let generator = IdentifierGenerator(clock: clock, node: 7)
    var last = generator.next()
    for round in 0..<10_000 {
      if round == 5000 { clock.advance(by: .seconds(-5)) }
      let next = generator.next()
      #expect(next > last)
      last = next
    }
  }

  @Test func `carries its instant and survives printing`() throws {
    let clock = ManualClock()
    let id = IdentifierGenerator(clock: clock).next()
    #expect(id.createdAt == clock.now())
    #expect(try Identifier.parse(id.text(kind: "ride"), kind: "ride") == id)
  }

  @Test func `printed order is numeric order`() {
    let small = Identifier(rawValue: 1 << 40).text(kind: "ride")
    let large = Identifier(rawValue: 1 << 41).text(kind: "ride")
    #expect(small < large)
  }

  @Test func `refuses another kind`() {
    let text = Identifier(rawValue: 5).text(kind: "drv")
    #expect(throws: IdentifierError.wrongKind) { try Identifier.parse(text, kind: "ride") }
  }

  @Test(arguments: [
    "", "ride", "ride_", "_0000000000000", "ride_000000000000", "ride_00000000000000", "ride_000000000000u",
    "ride_000000000000I", "ride_z000000000000", "ride_g000000000000", "ride_8000000000000",
  ])
  func `refuses what is not an identifier`(text: String) {
    #expect(throws: IdentifierError.malformed) { try Identifier.parse(text, kind: "ride") }
  }

  @Test func `generators of different nodes do not collide`() {
    let clock = ManualClock()
    let a = IdentifierGenerator(clock: clock, node: 1)
    let b = IdentifierGenerator(clock: clock, node: 2)
    let ids = Set((0..<1000).flatMap { _ in [a.next(), b.next()] })
    #expect(ids.count == 2000)
  }

  @Test func `what is made from an instant on is not before its first one, whatever the node`() {
    let clock = ManualClock(Instant(seconds: 1_767_225_600))
    let early = IdentifierGenerator(clock: clock, node: 1023).next()
    clock.advance(by: .milliseconds(1))
    let first = Identifier.first(at: clock.now())
    #expect(early < first && first <= IdentifierGenerator(clock: clock, node: 0).next())
    #expect(first.createdAt == clock.now())
    #expect(Identifier.first(at: Instant(seconds: 0)).rawValue == 0)
  }
}
