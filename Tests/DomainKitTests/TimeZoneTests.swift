import Base
import OctetTypes
import Testing

@testable import DomainKit

private func date(_ year: Int32, _ month: Int32, _ day: Int32) -> Date {
  var date = Date()
  (date.year, date.month, date.day) = (year, month, day)
  return date
}

struct TimeZoneTests {
  let zones = TimeZones()

  @Test func `Helsinki is two hours ahead in winter and three in summer`() throws {
    let helsinki = try #require(zones.table("Europe/Helsinki"))
    #expect(helsinki.offset(at: Instant(seconds: 1_767_225_600)) == 7200)  // 2026-01-01
    #expect(helsinki.offset(at: Instant(seconds: 1_782_864_000)) == 10_800)  // 2026-07-01
    // 2026-03-29T01:00:00Z: the clocks go forward.
    #expect(helsinki.offset(at: Instant(seconds: 1_774_746_000 - 1)) == 7200)
    #expect(helsinki.offset(at: Instant(seconds: 1_774_746_000)) == 10_800)
  }

  @Test func `a day begins at the zone's midnight, also on the days of change`() throws {
    let helsinki = try #require(zones.table("Europe/Helsinki"))
    let change = try #require(CivilDate(date(2026, 3, 29))?.daysSinceEpoch)
    #expect(helsinki.start(ofDay: change) == Instant(seconds: 1_774_735_200))
    #expect(helsinki.start(ofDay: change + 1) - helsinki.start(ofDay: change) == .seconds(23 * 3600))
    #expect(helsinki.minuteOfDay(at: helsinki.start(ofDay: change)) == 0)
    #expect(helsinki.minuteOfDay(at: Instant(seconds: -1)) == 119)
  }

  @Test(arguments: ["", "Europe/Nowhere", "../passwd", "Europe//Helsinki", "/etc/passwd", "zone.tab"])
  func `refuses what is no zone`(name: String) {
    #expect(zones.table(name) == nil)
  }

  @Test func `refuses every truncation of a file`() {
    let header: [UInt8] = Array("TZif2".utf8)
    for length in 0..<header.count { #expect(TimeZoneTable(Array(header[..<length])) == nil) }
    #expect(TimeZoneTable(header + [UInt8](repeating: 0xff, count: 200)) == nil)
  }
}

struct CivilDateMessageTests {
  @Test(
    arguments: [
      (date(2026, 1, 1), CivilDate(daysSinceEpoch: 20_454)), (date(2200, 1, 1), CivilDate.last),
      (date(1, 1, 1), CivilDate(daysSinceEpoch: -719_162)),
    ] as [(Date, CivilDate)])
  func `reads the date of a message`(date: Date, day: CivilDate) {
    #expect(CivilDate(date) == day)
  }

  @Test(arguments: [
    date(2026, 2, 29), date(1900, 2, 29), date(2026, 4, 31), date(2026, 0, 1), date(2026, 13, 1), date(0, 1, 1),
    date(2026, 1, 0), date(10_000, 1, 1),
  ])
  func `refuses what is no day`(date: Date) {
    #expect(CivilDate(date) == nil)
  }
}
