import Testing

@testable import RPC

struct TimeoutHeaderTests {
  @Test func readsEveryUnit() {
    #expect(TimeoutHeader.parse("2H") == .seconds(7200))
    #expect(TimeoutHeader.parse("3M") == .seconds(180))
    #expect(TimeoutHeader.parse("4S") == .seconds(4))
    #expect(TimeoutHeader.parse("5m") == .milliseconds(5))
    #expect(TimeoutHeader.parse("6u") == .microseconds(6))
    #expect(TimeoutHeader.parse("7n") == .nanoseconds(7))
    #expect(TimeoutHeader.parse("99999999H") == .seconds(99_999_999 * 3600))
    #expect(TimeoutHeader.parse("0S") == .zero)
  }

  @Test(arguments: ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", " 1S", "1S ", "1 S", "١S"])
  func refusesMalformedValues(_ text: String) {
    #expect(TimeoutHeader.parse(text) == nil)
  }

  @Test func writesTheFinestUnitThatFits() {
    #expect(TimeoutHeader.format(.nanoseconds(99_999_999)) == "99999999n")
    #expect(TimeoutHeader.format(.milliseconds(100)) == "100000u")
    #expect(TimeoutHeader.format(.seconds(100)) == "100000m")
    #expect(TimeoutHeader.format(.seconds(100_000)) == "100000S")
    #expect(
      TimeoutHeader.format(.seconds(6_000_000_000)) == "99999999M"
        || TimeoutHeader.format(.seconds(6_000_000_000)).hasSuffix("H"))
    #expect(TimeoutHeader.format(.seconds(-1)) == "0n")
    #expect(TimeoutHeader.format(.zero) == "0n")
  }

  @Test(
    arguments: [1, 999, 1_000_000_007, 123_456_789_012_345, 7_200_000_000_001, 5_999_999_999_999_999_999] as [Int64])
  func neverShortensATimeout(_ nanoseconds: Int64) throws {
    let timeout = Duration.nanoseconds(nanoseconds)
    let text = TimeoutHeader.format(timeout)
    let parsed = try #require(TimeoutHeader.parse(text))
    #expect(parsed >= timeout)
    #expect(parsed <= timeout + .seconds(7200))
  }
}
