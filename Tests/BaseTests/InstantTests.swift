import Base
import Testing

@Suite struct InstantTests {
  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
    (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
  ])
  func `prints RFC 3339 with milliseconds`(milliseconds: Int64, text: String) {
    #expect(Instant(milliseconds: milliseconds).iso8601 == text)
  }

  @Test func `times and durations beyond the range end at its edge`() {
    let last = Instant(nanoseconds: .max)
    let first = Instant(nanoseconds: .min)
    #expect(Duration.seconds(99_999_999 * 3600).inNanoseconds == .max)
    #expect(Duration.seconds(Int64.min).inMilliseconds == .min)
    #expect(Instant(seconds: 1) + .seconds(99_999_999 * 3600) == last)
    #expect(Instant(seconds: -1) - .seconds(99_999_999 * 3600) == first)
    #expect(Instant(seconds: .max) == last && Instant(milliseconds: .min) == first)
    #expect(first.milliseconds == -9_223_372_036_855)
    #expect(last - first == .nanoseconds(Int64.max) + .nanoseconds(Int64.max) + .nanoseconds(1))
  }

  @Test func `milliseconds round down before the epoch`() {
    #expect(Instant(nanoseconds: -1).milliseconds == -1)
  }
}
