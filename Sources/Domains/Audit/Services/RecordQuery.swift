import AuditAPI
import Base
import DomainKit
import RPC
import Storage

/// Which records are asked for.
struct RecordQuery: Sendable {
  private(set) var conditions: [String] = []
  private(set) var arguments: [SQLValue] = []

  /// - Throws: `KitError.invalid` for a malformed instant.
  init(_ filter: RecordFilter?) throws(KitError) {
    guard let filter else { return }
    if !filter.actorID.isEmpty { add("actor = ", .text(filter.actorID)) }
    if !filter.objectID.isEmpty { add("object = ", .text(filter.objectID)) }
    if !filter.action.isEmpty { add("action = ", .text(filter.action)) }
    for (time, name, condition) in [
      (filter.fromTime, "from_time", "created_at >= "), (filter.toTime, "to_time", "created_at < "),
    ] {
      guard let time else { continue }
      add(condition, try Instant(time, field: "filter." + name).sqlValue)
    }
  }

  /// A page of records, newest first.
  func newestFirst(_ page: Page, in reader: any Reader) throws -> [RecordRow] {
    var query = self
    if let after = page.after, after.count == 2 {
      query.arguments += after
      let count = query.arguments.count
      query.conditions.append("(created_at, id) < ($\(count - 1), $\(count))")
    }
    return try query.rows("ORDER BY created_at DESC, id DESC", limit: page.fetch, in: reader)
  }

  /// Sealed records after a number up to another one, in their order.
  func sealed(after number: Int64, upTo last: Int64, limit: Int, in reader: any Reader) throws -> [RecordRow] {
    var query = self
    query.add("number > ", .integer(number))
    query.add("number <= ", .integer(last))
    return try query.rows("ORDER BY number", limit: limit, in: reader)
  }

  private func rows(_ order: String, limit: Int, in reader: any Reader) throws -> [RecordRow] {
    let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    return try reader.rows(
      "SELECT \(RecordRow.columns) FROM audit_records \(condition) \(order) LIMIT $\(arguments.count + 1)",
      arguments + [.integer(Int64(limit))], make: RecordRow.init)
  }

  private mutating func add(_ condition: String, _ argument: SQLValue) {
    arguments.append(argument)
    conditions.append(condition + "$\(arguments.count)")
  }
}
