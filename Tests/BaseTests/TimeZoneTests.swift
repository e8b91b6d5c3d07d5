import Base
import Foundation
import Testing

@Suite struct TimeZoneTests {
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
    let change = try #require(CivilDate(year: 2026, month: 3, day: 29)?.daysSinceEpoch)
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
    for length in 0..<header.count { #expect(TimeZoneTable(name: "X", Array(header[..<length])) == nil) }
    #expect(TimeZoneTable(name: "X", header + [UInt8](repeating: 0xff, count: 200)) == nil)
  }

  /// A line of what Python's zoneinfo has made of the same times (see make_times.py).
  private struct Known {
    let zone: String
    let day: CivilDate
    let minute: Int64
    let first: Instant
    let last: Instant
    /// When the clocks were put forward, if they skip the time.
    let change: Instant?

    init(_ line: Substring) throws {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
      let date = parts[1].split(separator: "-").compactMap { Int64($0) }
      zone = String(parts[0])
      day = try #require(CivilDate(year: date[0], month: date[1], day: date[2]))
      minute = try #require(Int64(parts[2]))
      first = Instant(seconds: try #require(Int64(parts[3])))
      last = Instant(seconds: try #require(Int64(parts[4])))
      change = Int64(parts[5]).map { Instant(seconds: $0) }
    }
  }

  private func known() throws -> [Known] {
    let path = URL(filePath: #filePath).appending(path: "../../CivilTimes/times.tsv").standardized
    let known = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").map(Known.init)
    try #require(known.contains { $0.change != nil } && known.contains { $0.first != $0.last })
    return known
  }

  @Test func `a time of a civil day is the instant that Python takes it for, skipped and doubled ones too`() throws {
    for time in try known() {
      let zone = try #require(zones.table(time.zone))
      let name = "\(time.zone) \(time.day) \(time.minute)"
      #expect(zone.instant(of: time.day, minute: time.minute) == time.first, "\(name)")
      #expect(zone.instant(of: time.day, minute: time.minute, doubled: .last) == time.last, "\(name)")
      let atChange = zone.instant(of: time.day, minute: time.minute, skipped: .change)
      #expect(atChange == time.change ?? time.first, "\(name)")
    }
  }

  @Test func `what the clocks show at the instant of a time is that time, unless they skip it`() throws {
    for time in try known() {
      let zone = try #require(zones.table(time.zone))
      for instant in [time.first, time.last] {
        let isShown = zone.day(at: instant) == time.day && zone.minuteOfDay(at: instant) == time.minute
        #expect(isShown == (time.change == nil), "\(time.zone) \(time.day) \(time.minute)")
      }
    }
  }

  @Test func `a day whose midnight is skipped begins when the clocks are put forward`() throws {
    let zone = try #require(zones.table("America/Sao_Paulo"))
    let day = try #require(CivilDate(year: 2010, month: 10, day: 17))
    #expect(zone.start(ofDay: day.daysSinceEpoch) == Instant(seconds: 1_287_284_400))
    // Samoa went over the date line and had no 30 December.
    let apia = try #require(zones.table("Pacific/Apia"))
    let none = try #require(CivilDate(year: 2011, month: 12, day: 30)).daysSinceEpoch
    #expect(apia.start(ofDay: none) == apia.start(ofDay: none + 1))
    #expect(apia.start(ofDay: none) - apia.start(ofDay: none - 1) == .seconds(86_400))
  }
}
