import OctetTypes

/// Days of the proleptic Gregorian calendar, counted from 1970-01-01.
enum CivilDay {
  /// 2200-01-01. Instants reach little further; no document is valid for so long.
  static let last: Int64 = 84_006

  /// The day of a date; nil if the calendar has no such date.
  static func number(_ date: Date) -> Int64? {
    let (year, month, day) = (Int64(date.year), Int64(date.month), Int64(date.day))
    guard (1...9999).contains(year), (1...12).contains(month), (1...length(year: year, month: month)).contains(day)
    else { return nil }
    // Years that begin in March put the leap day at the end (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func length(year: Int64, month: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
