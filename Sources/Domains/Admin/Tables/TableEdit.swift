import Base
import DomainKit
import ProtobufRuntime
import Storage

/// A row that is to be put into a table or changed, as far as it can be judged without the table's rows.
struct TableEdit: Sendable {
  let table: TableDefinition
  /// Nil for a new row.
  let row: Identifier?
  /// Of the row that was seen; empty for a new row.
  let etag: String
  /// Empty for as it is.
  let key: String
  /// Nil for now, or as it is.
  let from: Instant?
  /// `TableRecord.never` for no end.
  let to: Instant
  /// Nil for as they are.
  let values: [String: TypedValue]?
  /// Whether the row that is in force when a new one begins ends then.
  let endsTheOneBefore: Bool

  /// - Parameter given: values by column; those of a new row that are missing are the standard ones.
  /// - Throws: `TableError.invalid` with all that does not fit the table, `more` among it.
  init(
    _ table: TableDefinition, row: Identifier? = nil, etag: String = "", key: String, from: Instant?, to: Instant?,
    _ given: [String: TypedValue?], endsTheOneBefore: Bool = false, more: [FieldViolation] = []
  ) throws(TableError) {
    var violations = more
    if key.isEmpty, row == nil {
      violations.append(FieldViolation(field: "key", description: "a new row needs one"))
    }
    violations += Self.lacks(of: given, table)
    guard violations.isEmpty else { throw .invalid(violations) }
    self.table = table
    self.row = row
    self.etag = etag
    self.key = key
    self.from = from
    self.to = to ?? TableRecord.never
    self.endsTheOneBefore = endsTheOneBefore
    if row != nil, given.isEmpty {
      values = nil
    } else {
      values = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, (given[$0.name] ?? nil) ?? $0.standard) })
    }
  }

  /// A new row of a domain's.
  init(_ draft: RowDraft, of table: TableDefinition, endsTheOneBefore: Bool) throws(TableError) {
    try self.init(
      table, key: draft.key, from: draft.from, to: draft.to, draft.values.mapValues(Optional.some),
      endsTheOneBefore: endsTheOneBefore)
  }

  /// An earlier end of a row.
  init(ending row: Identifier, of table: TableDefinition, at end: Instant, version: Int64) throws(TableError) {
    try self.init(table, row: row, etag: String(version), key: "", from: nil, to: end, [:])
  }

  /// What of the values does not fit the columns; nil is a value without a type.
  private static func lacks(of given: [String: TypedValue?], _ table: TableDefinition) -> [FieldViolation] {
    let columns = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, $0) })
    return given.sorted { $0.key < $1.key }.compactMap { name, value in
      guard let column = columns[name] else {
        return FieldViolation(field: "values", description: "the table has not all of these columns")
      }
      guard let value, value.kind == column.standard.kind else {
        return FieldViolation(
          field: "values.\(name)", description: "this column is of the type \(column.standard.kind.rawValue)")
      }
      guard let number = value.number, !column.range.contains(number) else { return nil }
      return FieldViolation(
        field: "values.\(name)",
        description: "must be from \(column.range.lowerBound) to \(column.range.upperBound)")
    }
  }

  /// Does it. Of two that change rows of one key, one waits for the other.
  /// - Throws: `TableError`, `KitError.notFound`, `.etagMismatch`.
  func apply(in writer: any Writer, _ kit: Kit) throws -> TableRecord {
    guard let row else { return try insert(in: writer, kit) }
    guard let found = try TableRecord.find(row, of: table.name, in: writer) else { throw KitError.notFound("row") }
    try TableRecord.hold(table.name, found.key, in: writer)
    // Once more: whoever held the key before may have changed it.
    guard var record = try TableRecord.find(row, of: table.name, in: writer) else { throw KitError.notFound("row") }
    guard etag == String(record.version) else { throw KitError.etagMismatch }
    guard key.isEmpty || key == record.key else { throw TableError.invalid("key", "a row keeps its key") }
    let now = kit.clock.now()
    if record.from <= now {
      try end(&record, now)
    } else {
      record.from = from ?? record.from
      record.to = to
      record.values = values ?? record.values
      if record.to == record.from {
        try record.delete(in: writer)
        return record
      }
      try check(record, now, in: writer)
    }
    record.version += 1
    try record.update(in: writer)
    return record
  }

  private func insert(in writer: any Writer, _ kit: Kit) throws -> TableRecord {
    try TableRecord.hold(table.name, key, in: writer)
    let now = kit.clock.now()
    if endsTheOneBefore { try endTheOneBefore(from ?? now, now, in: writer) }
    let record = TableRecord(
      table: table.name, key: key, from: from ?? now, to: to, id: kit.identifiers.next(), values: values ?? [:])
    try check(record, now, in: writer)
    try record.insert(in: writer)
    return record
  }

  private func endTheOneBefore(_ end: Instant, _ now: Instant, in writer: any Writer) throws {
    guard end >= now, var last = try TableRecord.inForce(table.name, key, at: end, in: writer), last.from < end
    else { return }
    last.to = end
    last.version += 1
    try last.update(in: writer)
  }

  /// A row that has begun only ends, and not in the past.
  private func end(_ record: inout TableRecord, _ now: Instant) throws {
    guard now < record.to, from.map({ $0 == record.from }) ?? true, keepsValues(of: record), record.from < to,
      to <= record.to
    else { throw TableError.rowInForce }
    guard to >= now else { throw TableError.invalid("to_time", "has passed") }
    record.to = to
  }

  /// Whether the values that are given are those that the row has, by the columns of today.
  private func keepsValues(of record: TableRecord) -> Bool {
    guard let values else { return true }
    return table.columns.allSatisfy { values[$0.name] == record.values[$0.name] ?? $0.standard }
  }

  private func check(_ record: TableRecord, _ now: Instant, in writer: any Writer) throws {
    guard record.from >= now else { throw TableError.invalid("from_time", "has passed") }
    guard record.from < record.to else { throw TableError.invalid("to_time", "not after the beginning") }
    if let other = try record.overlapping(in: writer) { throw TableError.overlap(row: other) }
  }
}
