import Base
import DomainKit
import Storage

/// Looks dated rows up in the database, in the transaction that needs them.
struct TableBook: Tables {
  func row(
    _ key: String, of table: TableDefinition, at instant: Instant, in reader: any Reader
  ) throws -> DatedRow? {
    try TableRecord.inForce(table.name, key, at: instant, in: reader).map { record in
      DatedRow(
        id: record.id, key: record.key, from: record.from, to: record.to == TableRecord.never ? nil : record.to,
        values: record.values)
    }
  }
}
