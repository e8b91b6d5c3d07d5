/// A day of the proleptic Gregorian calendar.
public struct CivilDate: Sendable, Hashable, CustomStringConvertible {
  public let year: Int64
  /// 1 to 12.
  public let month: Int64
  /// From 1.
  public let day: Int64

  /// The years that have four digits, as RFC 3339 writes them.
  private static let years: ClosedRange<Int64> = 0...9999

  /// - Returns: nil if there is no such day, or its year is not one of 0 to 9999.
  public init?(year: Int64, month: Int64, day: Int64) {
    guard Self.years.contains(year), (1...12).contains(month), (1...Self.daysInMonth(month, of: year)).contains(day)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// The day so many days after 1970-01-01.
  ///
  /// Counts in eras of 400 years that begin on a 1 March, so that the leap day ends a year
  /// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  public init(daysSinceEpoch days: Int64) {
    let shifted = days + Self.epochInEras
    let era = (shifted >= 0 ? shifted : shifted - Self.daysPerEra + 1) / Self.daysPerEra
    let dayOfEra = shifted - era * Self.daysPerEra
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// The days from 1970-01-01 to this one; negative before.
  public var daysSinceEpoch: Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
    return era * Self.daysPerEra + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.epochInEras
  }

  /// As RFC 3339 writes it: `2026-01-01`.
  public var description: String { "\(String(year, width: 4))-\(String(month, width: 2))-\(String(day, width: 2))" }

  private static let daysPerEra: Int64 = 146_097
  /// 1970-01-01, counted from 0000-03-01.
  private static let epochInEras: Int64 = 719_468

  private static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
