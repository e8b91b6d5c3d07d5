import Base
import Testing

@testable import Rides

@Suite struct RidePINTests {
  @Test func `a PIN has four digits and depends on ride and epoch`() {
    // Stands in for the keyed hash: any function of the message will do here.
    func hash(_ message: [UInt8]) -> [UInt8] {
      let seed = message.reduce(UInt64(7)) { $0 &* 1_099_511_628_211 ^ UInt64($1) }
      return SeededRandomSource(seed: seed).bytes(32)
    }
    var seen: Set<String> = []
    for ride in 0..<40 as Range<Int64> {
      for epoch in 1...5 as ClosedRange<Int64> {
        let pin = RidePIN.derive(ride: Identifier(rawValue: ride), epoch: epoch, keyedHash: hash)
        #expect(pin.utf8.count == 4 && pin.utf8.allSatisfy { (0x30...0x39).contains($0) })
        #expect(pin == RidePIN.derive(ride: Identifier(rawValue: ride), epoch: epoch, keyedHash: hash))
        seen.insert(pin)
      }
    }
    #expect(seen.count > 190)
    #expect(RidePIN.derive(ride: Identifier(rawValue: 1), epoch: 1) { _ in [0, 0, 0, 0, 0, 0, 0x27, 0x17] } == "0007")
  }

  /// Acceptance 6 of the rides specification.
  @Test func `after five wrong PINs even the right one is refused`() {
    var tries = PINTries()
    for _ in 0..<5 { #expect(tries.judge("0000", against: "4711") == .wrong) }
    #expect(tries.judge("4711", against: "4711") == .locked)
    #expect(tries.failed == 5)
    var reset = PINTries(failed: 4)
    #expect(reset.judge("4711", against: "4711") == .right)
    #expect(reset.failed == 4)
  }
}
