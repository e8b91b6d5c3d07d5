import Base
import OctetTypes
import Testing

@testable import DomainKit

private func date(_ year: Int32, _ month: Int32, _ day: Int32) -> Date {
  var date = Date()
  (date.year, date.month, date.day) = (year, month, day)
  return date
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
