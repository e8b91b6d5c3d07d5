import Base
import DomainKit
import Storage

/// Looks dated rows up in the database and puts them there, in the transaction that needs them.
struct TableBook: Tables {
  let kit: Kit

  func row(
    _ key: String, of table: TableDefinition, at instant: Instant, in reader: any Reader
  ) throws -> DatedRow? {
    try TableRecord.inForce(table.name, key, at: instant, in: reader)?.dated
  }

  func rows(
    of table: TableDefinition, at instant: Instant, after key: String?, limit: Int, in reader: any Reader
  ) throws -> [DatedRow] {
    // One row of a key is in force, so the next page begins after all of the key's.
    let last = key.map { (key: $0, from: TableRecord.never) }
    return try TableRecord.list(table.name, key: nil, at: instant, after: last, limit: limit, in: reader).map(\.dated)
  }

  func rows(
    _ key: String, of table: TableDefinition, after beginning: Instant?, limit: Int, in reader: any Reader
  ) throws -> [DatedRow] {
    let last = beginning.map { (key: key, from: $0) }
    return try TableRecord.list(table.name, key: key, at: nil, after: last, limit: limit, in: reader).map(\.dated)
  }

  func put(
    _ row: RowDraft, of table: TableDefinition, endingTheOneBefore ends: Bool, in writer: any Writer
  ) throws -> DatedRow {
    try TableEdit(row, of: table, endsTheOneBefore: ends).apply(in: writer, kit).dated
  }

  func end(
    _ row: Identifier, of table: TableDefinition, at instant: Instant, version: Int64, in writer: any Writer
  ) throws -> DatedRow {
    try TableEdit(ending: row, of: table, at: instant, version: version).apply(in: writer, kit).dated
  }
}
