import Base
import Testing

@Suite struct UUIDTextTests {
  private static let bytes: [UInt8] = [
    0x01, 0x9b, 0x0a, 0xff, 0x12, 0x34, 0x7a, 0xbc, 0x8d, 0xef, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
  ]

  @Test func `reads either case and prints lower case`() {
    #expect(UUIDText.bytes("019b0aff-1234-7abc-8def-001122334455") == Self.bytes)
    #expect(UUIDText.bytes("019B0AFF-1234-7ABC-8DEF-001122334455") == Self.bytes)
    #expect(UUIDText.text(Self.bytes) == "019b0aff-1234-7abc-8def-001122334455")
  }

  @Test(arguments: [
    "", "019b0aff-1234-7abc-8def-00112233445", "019b0aff-1234-7abc-8def-0011223344550",
    "019b0aff12347abc8def001122334455", "019b0aff1-234-7abc-8def-001122334455",
    "019b0aff-1234-7abc-8def-00112233445g", "{019b0aff-1234-7abc-8def-0011223344}",
    "019b0aff-1234-7abc-8def-0011223344é",
  ])
  func `refuses what is no UUID`(text: String) {
    #expect(UUIDText.bytes(text) == nil)
  }
}
