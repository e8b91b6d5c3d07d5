import Base
import Storage
import Testing

@Suite struct CronExpressionTests {
  private func instant(_ text: String) throws -> Instant {
    // year month day hour minute [second]
    let n = text.split(whereSeparator: { "-T: ".contains($0) }).compactMap { Int64($0) }
    let date = try #require(CivilDate(year: n[0], month: n[1], day: n[2]))
    return Instant(seconds: date.daysSinceEpoch * 86_400 + n[3] * 3600 + n[4] * 60 + (n.count > 5 ? n[5] : 0))
  }

  @Test(arguments: [
    ("* * * * *", "2026-01-01 00:00", "2026-01-01 00:01"),
    ("* * * * *", "2026-01-01 00:00:59", "2026-01-01 00:01"),
    ("30 3 * * 1-5", "2026-01-02 03:30", "2026-01-05 03:30"),
    ("30 3 * * mon-fri", "2026-01-02 03:29:59", "2026-01-02 03:30"),
    ("*/15 8-18 * * *", "2026-01-01 18:45", "2026-01-02 08:00"),
    ("5,35 0-23/6 * * *", "2026-01-01 06:05", "2026-01-01 06:35"),
    ("5,35 0-23/6 * * *", "2026-01-01 18:35", "2026-01-02 00:05"),
    ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
    ("0 0 29 2 mon", "2026-01-01 00:00", "2026-02-02 00:00"),
    ("0 0 31 * *", "2026-01-31 00:00", "2026-03-31 00:00"),
    ("59 23 31 dec *", "2026-12-31 23:59", "2027-12-31 23:59"),
    ("0 12 * * 7", "2026-01-01 00:00", "2026-01-04 12:00"),
    ("0 12 * * SUN", "2026-01-04 12:00", "2026-01-11 12:00"),
    // Both days restricted: one suffices. The 13th, or a Friday.
    ("0 0 13 * 5", "2026-01-03 00:00", "2026-01-09 00:00"),
    ("0 0 13 * 5", "2026-01-09 00:00", "2026-01-13 00:00"),
    // A step over all days is no restriction.
    ("0 0 */2 * 5", "2026-01-03 00:00", "2026-01-09 00:00"),
    ("0 0 1 1 *", "1969-06-01 00:00", "1970-01-01 00:00"),
  ])
  func `finds the next instant`(text: String, after: String, expected: String) throws {
    let expression = try CronExpression(text)
    #expect(expression.next(after: try instant(after)) == (try instant(expected)))
  }

  // Clocks go from 2 to 3 in New York on 2026-03-08 at 07:00 UTC, and from 2 to 1 on 2026-11-01 at 06:00 UTC.
  @Test(arguments: [
    ("Asia/Tokyo", "0 8 * * mon", "2026-01-01 00:00", "2026-01-04 23:00"),
    ("America/New_York", "0 9 * * *", "2026-03-07 14:00", "2026-03-08 13:00"),
    ("America/New_York", "0 9 * * *", "2026-10-31 13:00", "2026-11-01 14:00"),
    // Skipped times are those of the change, and all of a night are one.
    ("America/New_York", "30 2 * * *", "2026-03-07 07:30", "2026-03-08 07:00"),
    ("America/New_York", "30 2 * * *", "2026-03-08 07:00", "2026-03-09 06:30"),
    ("America/New_York", "*/10 2 * * *", "2026-03-08 06:59", "2026-03-08 07:00"),
    ("America/New_York", "*/10 2 * * *", "2026-03-08 07:00", "2026-03-09 06:00"),
    // Doubled times count once.
    ("America/New_York", "30 1 * * *", "2026-11-01 00:00", "2026-11-01 05:30"),
    ("America/New_York", "30 1 * * *", "2026-11-01 05:30", "2026-11-02 06:30"),
    ("America/New_York", "30 1 * * *", "2026-11-01 06:10", "2026-11-02 06:30"),
    // What happens in every hour is not disturbed.
    ("America/New_York", "*/30 * * * *", "2026-03-08 06:30", "2026-03-08 07:00"),
    ("America/New_York", "*/30 * * * *", "2026-11-01 05:30", "2026-11-01 06:00"),
    ("America/New_York", "*/30 * * * *", "2026-11-01 06:00", "2026-11-01 06:30"),
    // On Sundays alone.
    ("America/New_York", "15 * * * sun", "2026-11-02 04:15", "2026-11-08 05:15"),
    // Back from a minute after midnight: 00:00 comes before the second 23:01.
    ("America/St_Johns", "* * * * *", "2010-11-07 02:29", "2010-11-07 02:30"),
    ("America/St_Johns", "* * * * *", "2010-11-07 02:30", "2010-11-07 02:31"),
    ("Asia/Kathmandu", "0 12 * * *", "2026-01-01 00:00", "2026-01-01 06:15"),
  ])
  func `follows the clocks of its zone`(zone: String, text: String, after: String, expected: String) throws {
    let expression = try CronExpression(text, in: try #require(TimeZones().table(zone)))
    #expect(expression.next(after: try instant(after)) == (try instant(expected)))
  }

  @Test func `what happens at a time of day happens once in each day of a year`() throws {
    for (zone, hour) in [("America/New_York", 1), ("America/New_York", 2), ("Europe/Helsinki", 3)] {
      let table = try #require(TimeZones().table(zone))
      let expression = try CronExpression("30 \(hour) * * *", in: table)
      var moment = try instant("2026-01-01 12:00")
      for _ in 0..<365 {
        let next = try #require(expression.next(after: moment))
        #expect(table.day(at: next).daysSinceEpoch == table.day(at: moment).daysSinceEpoch + 1)
        moment = next
      }
    }
  }

  @Test(arguments: [
    "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
    "5-1 * * * *", "*/0 * * * *", "1/2 * * * *", "a * * * *", "-1 * * * *", "+1 * * * *", "1,,2 * * * *", "1- * * * *",
    "*/2/2 * * * *", "0 0 30 2 *", "* * * foo *", "99999999999999999999 * * * *", "1-2-3 * * * *",
  ])
  func `refuses what is no schedule`(text: String) {
    #expect(throws: CronError.self) { try CronExpression(text) }
  }

  @Test func `nothing between an instant and the next one fits`() throws {
    let random = SeededRandomSource(seed: 5)
    for _ in 0..<40 {
      let minute = random.below(60)
      let hours = ["*", "*/5", "7", "22-23"][Int(random.below(4))]
      let days = ["*", "1", "31", "10-20/3"][Int(random.below(4))]
      let weekdays = ["*", "0", "1-5", "6"][Int(random.below(4))]
      let text = "\(minute) \(hours) \(days) * \(weekdays)"
      let expression = try CronExpression(text)
      let start = Instant(seconds: 1_767_225_600 + Int64(random.below(40_000_000)))
      let next = try #require(expression.next(after: start))
      #expect(next > start && next.nanoseconds % 60_000_000_000 == 0)
      // Nothing between the two fits: the next one after any instant in between is the same.
      let gap = next - start
      for part in 1...5 {
        let between = start + .nanoseconds(gap.inNanoseconds * Int64(part) / 6)
        #expect(expression.next(after: between) == next, "\(text) after \(between)")
      }
    }
  }
}
