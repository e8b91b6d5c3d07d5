import Base
import Testing

@testable import WebProtocols

struct WindowLedgerTests {
  @Test func returnsInProportionAndAllInTheEnd() {
    var ledger = WindowLedger()
    ledger.record(received: 400, given: 300)
    #expect(ledger.consume(150) == 200)
    ledger.record(received: 1, given: 1000)
    #expect(ledger.consume(0) == 0)
    #expect(ledger.consume(1150) == 201)
    #expect(ledger.consume(0) == 0)
  }

  @Test func neverReturnsMoreThanCame() {
    let random = SeededRandomSource(seed: 7)
    var ledger = WindowLedger()
    var received = 0
    var held = 0
    var returned = 0
    for _ in 0..<10_000 {
      if held == 0 || random.next() % 2 == 0 {
        let (wire, core) = (Int(random.next() % 70_000), Int(random.next() % 70_000) + 1)
        ledger.record(received: wire, given: core)
        received += wire
        held += core
      } else {
        let count = Int(random.next() % UInt64(held + 1))
        returned += ledger.consume(count)
        held -= count
      }
      #expect(returned <= received)
      if held == 0 { #expect(returned == received) }
    }
    returned += ledger.consume(held)
    #expect(returned == received)
  }

  @Test func doesNotOverflow() {
    var ledger = WindowLedger()
    ledger.record(received: 1 << 40, given: 1 << 50)
    #expect(ledger.consume(1 << 49) == 1 << 39)
  }
}
