import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import Storage
import WellKnownTypes

/// What a request asks of a table, as far as it can be judged without its rows.
struct TableEdit: Sendable {
  let table: TableDefinition
  /// Nil for a new row.
  let row: Identifier?
  let etag: String
  let key: String
  /// Nil for now, or as it is.
  let from: Instant?
  /// `TableRecord.never` for no end.
  let to: Instant
  /// Nil for as they are.
  let values: [String: TypedValue]?

  /// - Throws: `AdminError.invalid` with all that does not fit the table, `KitError` for a bad id.
  init(_ request: PutTableRowRequest, of table: TableDefinition) throws {
    self.table = table
    row = request.rowID.isEmpty ? nil : try Identifier(request.rowID, kind: TableRecord.idKind, field: "row_id")
    etag = request.etag
    key = request.key
    var violations: [FieldViolation] = []
    func instant(_ timestamp: Timestamp?, _ field: String) -> Instant? {
      guard let timestamp else { return nil }
      if let instant = Instant(timestamp), instant < TableRecord.never { return instant }
      violations.append(FieldViolation(field: field, description: "not a time from 1678 to 2262"))
      return nil
    }
    from = instant(request.fromTime, "from_time")
    to = instant(request.toTime, "to_time") ?? TableRecord.never
    if key.isEmpty, row == nil {
      violations.append(FieldViolation(field: "key", description: "a new row needs one"))
    }
    let columns = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, $0) })
    var given: [String: TypedValue] = [:]
    for (name, value) in request.values.sorted(by: { $0.key < $1.key }) {
      guard let column = columns[name] else {
        violations.append(FieldViolation(field: "values", description: "the table has not all of these columns"))
        continue
      }
      guard let value = value.typed, value.kind == column.standard.kind else {
        violations.append(
          FieldViolation(
            field: "values.\(name)", description: "this column is of the type \(column.standard.kind.rawValue)"))
        continue
      }
      if let number = value.number, !column.range.contains(number) {
        violations.append(
          FieldViolation(
            field: "values.\(name)",
            description: "must be from \(column.range.lowerBound) to \(column.range.upperBound)"))
      }
      given[name] = value
    }
    guard violations.isEmpty else { throw AdminError.invalid(violations) }
    if row != nil, given.isEmpty {
      values = nil
    } else {
      values = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, given[$0.name] ?? $0.standard) })
    }
  }

  /// Does it. Of two that change rows of one key, one waits for the other.
  /// - Throws: `AdminError`, `KitError.notFound`, `.etagMismatch`.
  func apply(in writer: any Writer, _ kit: Kit) throws -> TableRecord {
    guard let row else { return try insert(in: writer, kit) }
    guard let found = try TableRecord.find(row, of: table.name, in: writer) else { throw KitError.notFound("row") }
    try TableRecord.hold(table.name, found.key, in: writer)
    // Once more: whoever held the key before may have changed it.
    guard var record = try TableRecord.find(row, of: table.name, in: writer) else { throw KitError.notFound("row") }
    guard etag == String(record.version) else { throw KitError.etagMismatch }
    guard key.isEmpty || key == record.key else { throw AdminError.invalid("key", "a row keeps its key") }
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
    let record = TableRecord(
      table: table.name, key: key, from: from ?? now, to: to, id: kit.identifiers.next(), values: values ?? [:])
    try check(record, now, in: writer)
    try record.insert(in: writer)
    return record
  }

  /// A row that has begun only ends, and not in the past.
  private func end(_ record: inout TableRecord, _ now: Instant) throws {
    guard now < record.to, from.map({ $0 == record.from }) ?? true, keepsValues(of: record), record.from < to,
      to <= record.to
    else { throw AdminError.rowInForce }
    guard to >= now else { throw AdminError.invalid("to_time", "has passed") }
    record.to = to
  }

  /// Whether the values that are given are those that the row has, by the columns of today.
  private func keepsValues(of record: TableRecord) -> Bool {
    guard let values else { return true }
    return table.columns.allSatisfy { values[$0.name] == record.values[$0.name] ?? $0.standard }
  }

  private func check(_ record: TableRecord, _ now: Instant, in writer: any Writer) throws {
    guard record.from >= now else { throw AdminError.invalid("from_time", "has passed") }
    guard record.from < record.to else { throw AdminError.invalid("to_time", "not after the beginning") }
    if let other = try record.overlapping(in: writer) { throw AdminError.tableOverlap(row: other) }
  }
}

extension TableDescription {
  init(_ table: TableDefinition) {
    self.init()
    name = table.name
    purpose = table.purpose
    keyPurpose = table.keyPurpose
    columns = table.columns.map { declared in
      var column = TableColumn()
      column.name = declared.name
      column.purpose = declared.purpose
      column.defaultValue = SettingValue(declared.standard)
      column.minimum = declared.range.lowerBound
      column.maximum = declared.range.upperBound
      return column
    }
  }
}
