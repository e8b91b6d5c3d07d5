public import Base
public import Storage

/// What users may do so often a day is counted by days in UTC.
extension Instant {
  /// The day since 1970-01-01.
  public var dayNumber: Int64 { milliseconds / 86_400_000 }

  /// What is left of the day.
  var restOfDay: Duration { Instant(seconds: (dayNumber + 1) * 86_400) - self }
}

/// Counts in a table of a domain how often somebody has done something on a day.
public struct DayQuota: Sendable {
  private let sql: String

  /// - Parameters:
  ///   - keys: the columns of the table's primary key. Of the others, but for the two that are named, all have a default.
  ///   - day: the column of the day, in `Instant.dayNumber`.
  ///   - count: the column of how often on that day.
  ///   - condition: what must hold of the row, in SQL. Nil: nothing.
  public init(
    _ table: String, by keys: [String], day: String = "day", count: String, onlyIf condition: String? = nil
  ) {
    let columns = keys.joined(separator: ", ")
    let places = (1...keys.count + 1).map { "$\($0)" }.joined(separator: ", ")
    let (today, taken) = ("\(table).\(day) = excluded.\(day)", "\(table).\(count)")
    sql = """
      INSERT INTO \(table) (\(columns), \(day), \(count)) VALUES (\(places), 1)
      ON CONFLICT (\(columns)) DO UPDATE SET
        \(count) = CASE WHEN \(today) THEN \(taken) + 1 ELSE 1 END, \(day) = excluded.\(day)
      WHERE (NOT \(today) OR \(taken) < $\(keys.count + 2))\(condition.map { " AND \($0)" } ?? "")
      """
  }

  /// Takes one of those of a day.
  /// - Throws: `KitError.dayLimitExceeded` if none is left.
  public func take(_ key: any SQLBindable..., limit: Int64, at now: Instant, in writer: any Writer) throws {
    guard try takeIfLeft(key, limit: limit, at: now, in: writer) else { throw KitError.dayLimitExceeded(at: now) }
  }

  /// Takes one of those of a day, if there is one left.
  /// - Returns: whether there was.
  public func takeIfLeft(
    _ key: [any SQLBindable], limit: Int64, at now: Instant, in writer: any Writer
  ) throws -> Bool {
    // The first of a day is written without a look at the limit.
    guard limit > 0 else { return false }
    return try writer.execute(sql, (key + [now.dayNumber, limit]).map { $0.sqlValue }) == 1
  }
}
