import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import WellKnownTypes

extension TableEdit {
  /// - Throws: `TableError.invalid` with all that does not fit the table, `KitError` for a bad id.
  init(_ request: PutTableRowRequest, of table: TableDefinition) throws {
    let row = request.rowID.isEmpty ? nil : try Identifier(request.rowID, kind: TableRecord.idKind, field: "row_id")
    var violations: [FieldViolation] = []
    func instant(_ timestamp: Timestamp?, _ field: String) -> Instant? {
      guard let timestamp else { return nil }
      if let instant = Instant(timestamp), instant < TableRecord.never { return instant }
      violations.append(FieldViolation(field: field, description: "not a time from 1678 to 2262"))
      return nil
    }
    let (from, to) = (instant(request.fromTime, "from_time"), instant(request.toTime, "to_time"))
    try self.init(
      table, row: row, etag: request.etag, key: request.key, from: from, to: to, request.values.mapValues(\.typed),
      more: violations)
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
