public import Base
public import OctetTypes

extension CivilDate {
  /// 2200-01-01. Instants reach little further; no document is valid for so long.
  public static let last = CivilDate(daysSinceEpoch: 84_006)

  /// The day of a date in a message; nil if the calendar has no such date, or its year is not one of 1 to 9999.
  public init?(_ date: Date) {
    guard date.year >= 1 else { return nil }
    self.init(year: Int64(date.year), month: Int64(date.month), day: Int64(date.day))
  }
}
