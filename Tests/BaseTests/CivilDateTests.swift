import Base
import Testing

@Suite struct CivilDateTests {
  @Test(
    arguments: [
      (0, 1, 1, -719_528), (1, 1, 1, -719_162), (1600, 2, 29, -135_081), (1969, 12, 31, -1), (1970, 1, 1, 0),
      (2000, 2, 29, 11_016), (2000, 3, 1, 11_017), (2026, 1, 1, 20_454), (2200, 1, 1, 84_006),
      (9999, 12, 31, 2_932_896),
    ] as [(Int64, Int64, Int64, Int64)])
  func `counts days from 1970`(year: Int64, month: Int64, day: Int64, days: Int64) throws {
    let date = try #require(CivilDate(year: year, month: month, day: day))
    #expect(date.daysSinceEpoch == days)
    #expect(CivilDate(daysSinceEpoch: days) == date)
  }

  @Test func `every day of an era comes back and follows the one before`() {
    var previous = CivilDate(daysSinceEpoch: -1)
    for days in Int64(0)..<146_097 {
      let date = CivilDate(daysSinceEpoch: days)
      #expect(CivilDate(year: date.year, month: date.month, day: date.day)?.daysSinceEpoch == days)
      if date.day == 1 {
        #expect(CivilDate(year: previous.year, month: previous.month, day: previous.day + 1) == nil)
      } else {
        #expect((date.year, date.month, date.day) == (previous.year, previous.month, previous.day + 1))
      }
      previous = date
    }
  }

  @Test(
    arguments: [
      (2026, 2, 29), (1900, 2, 29), (2026, 4, 31), (2026, 1, 32), (2026, 0, 1), (2026, 13, 1), (2026, 1, 0),
      (-1, 1, 1), (10_000, 1, 1), (.max, 1, 1),
    ] as [(Int64, Int64, Int64)])
  func `refuses what is no day`(year: Int64, month: Int64, day: Int64) {
    #expect(CivilDate(year: year, month: month, day: day) == nil)
  }

  @Test func `prints as RFC 3339 writes it`() {
    #expect(CivilDate(daysSinceEpoch: 0).description == "1970-01-01")
    #expect(CivilDate(daysSinceEpoch: -719_162).description == "0001-01-01")
  }
}

@Suite struct DigitsTests {
  @Test func `fills with zeros and cuts nothing`() {
    #expect(String(7, width: 3) == "007")
    #expect(String(1234, width: 3) == "1234")
    #expect(String(UInt64.max, radix: 16, width: 4) == "ffffffffffffffff")
    #expect(String(UInt8(8), radix: 8, width: 3) == "010")
  }
}
