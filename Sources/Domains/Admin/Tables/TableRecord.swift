import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import Storage
import WellKnownTypes

/// A row of `admin_table_rows`.
struct TableRecord: Sendable {
  static let idKind = DatedRow.idKind
  /// As `to_at` of a row that has no end.
  static let never = Instant(nanoseconds: .max)

  let table: String
  let key: String
  var from: Instant
  /// `never` for no end.
  var to: Instant
  let id: Identifier
  var version: Int64
  var values: [String: TypedValue]

  private static let columns = "table_name, key, from_at, to_at, id, version, content"

  init(table: String, key: String, from: Instant, to: Instant, id: Identifier, values: [String: TypedValue]) {
    self.table = table
    self.key = key
    self.from = from
    self.to = to
    self.id = id
    version = 1
    self.values = values
  }

  private init(_ row: any Row) throws {
    self.init(
      table: row[0], key: row[1], from: row[2], to: row[3], id: row[4],
      values: try TableRow(decoding: row[6]).values.compactMapValues(\.typed))
    version = row[5]
  }

  /// As other domains see it.
  var dated: DatedRow {
    DatedRow(id: id, key: key, from: from, to: to == Self.never ? nil : to, version: version, values: values)
  }

  // MARK: Reading

  /// The row of a key that is in force at an instant.
  static func inForce(
    _ table: String, _ key: String, at instant: Instant, in reader: any Reader
  ) throws -> TableRecord? {
    let last: TableRecord? = try reader.first(
      """
      SELECT \(columns) FROM admin_table_rows WHERE table_name = $1 AND key = $2 AND from_at <= $3
      ORDER BY from_at DESC LIMIT 1
      """, table, key, instant, make: TableRecord.init)
    return last.flatMap { instant < $0.to ? $0 : nil }
  }

  static func find(_ id: Identifier, of table: String, in reader: any Reader) throws -> TableRecord? {
    try reader.first(
      "SELECT \(columns) FROM admin_table_rows WHERE id = $1 AND table_name = $2", id, table, make: TableRecord.init)
  }

  /// Rows of a table by key and beginning.
  /// - Parameters:
  ///   - key: nil for all keys.
  ///   - instant: nil for all times.
  ///   - after: the last one of the page before.
  static func list(
    _ table: String, key: String?, at instant: Instant?, after: (key: String, from: Instant)?, limit: Int,
    in reader: any Reader
  ) throws -> [TableRecord] {
    try reader.rows(
      """
      SELECT \(columns) FROM admin_table_rows
      WHERE table_name = $1 AND (key > $2 OR (key = $2 AND from_at > $3)) AND ($4 = 1 OR key = $5)
        AND from_at <= $6 AND to_at > $7
      ORDER BY key, from_at LIMIT $8
      """, table, after?.key ?? "", after?.from ?? Instant(nanoseconds: .min), key == nil, key ?? "",
      instant ?? never, instant ?? Instant(nanoseconds: .min), limit, make: TableRecord.init)
  }

  // MARK: Writing

  /// Makes this transaction the only one that changes the rows of a key.
  static func hold(_ table: String, _ key: String, in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO admin_table_keys (table_name, key) VALUES ($1, $2) ON CONFLICT (table_name, key) DO NOTHING", table,
      key)
    _ = try writer.firstForUpdate(
      "SELECT key FROM admin_table_keys WHERE table_name = $1 AND key = $2", table, key
    ) { $0[0] as String }
  }

  /// Another row of the key that is in force at some instant of this one's time.
  func overlapping(in reader: any Reader) throws -> Identifier? {
    try reader.first(
      """
      SELECT id FROM admin_table_rows
      WHERE table_name = $1 AND key = $2 AND from_at < $3 AND to_at > $4 AND id <> $5 ORDER BY from_at LIMIT 1
      """, table, key, to, from, id
    ) { $0[0] }
  }

  func insert(in writer: any Writer) throws {
    try writer.execute(
      "INSERT INTO admin_table_rows (\(Self.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7)", table, key, from, to, id,
      version, content)
  }

  /// Writes what may have changed.
  func update(in writer: any Writer) throws {
    try writer.execute(
      "UPDATE admin_table_rows SET from_at = $2, to_at = $3, version = $4, content = $5 WHERE id = $1", id, from, to,
      version, content)
  }

  func delete(in writer: any Writer) throws {
    try writer.execute("DELETE FROM admin_table_rows WHERE id = $1", id)
  }

  private var content: [UInt8] {
    var row = TableRow()
    row.values = values.mapValues { SettingValue($0) }
    return row.encoded()
  }
}

extension TableRow {
  init(_ record: TableRecord) {
    self.init()
    id = record.id.text(kind: TableRecord.idKind)
    table = record.table
    key = record.key
    fromTime = Timestamp(record.from)
    toTime = record.to == TableRecord.never ? nil : Timestamp(record.to)
    values = record.values.mapValues { SettingValue($0) }
    etag = String(record.version)
  }
}
