import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import Storage
import WellKnownTypes

/// A row of `admin_flags`: what staff has put.
struct FlagRow: Sendable {
  let name: String
  let version: Int64
  /// Value and rules alone.
  let content: AdminAPI.Flag
  let putAt: Instant

  private static let columns = "name, version, content, put_at"

  init(name: String, version: Int64, content: AdminAPI.Flag, putAt: Instant) {
    self.name = name
    self.version = version
    self.content = content
    self.putAt = putAt
  }

  private init(_ row: any Row) throws {
    self.init(name: row[0], version: row[1], content: try AdminAPI.Flag(decoding: row[2]), putAt: row[3])
  }

  /// Those of another version than is known. All are asked for theirs, as no clock tells what another node has put since;
  /// there are no more flags than a program and its methods have.
  /// - Parameter known: versions by name.
  static func changed(since known: [String: Int64], in reader: any Reader) throws -> [FlagRow] {
    let isNew = try reader.rows("SELECT name, version FROM admin_flags") { known[$0[0]] != ($0[1] as Int64) }
    return isNew.contains(true) ? try all(in: reader).filter { known[$0.name] != $0.version } : []
  }

  static func all(in reader: any Reader) throws -> [FlagRow] {
    try reader.rows("SELECT \(columns) FROM admin_flags", make: FlagRow.init)
  }

  /// Puts this version in place of the one before.
  /// - Returns: false if that is not the present one.
  func replace(in writer: any Writer) throws -> Bool {
    let changed =
      version == 1
      ? try writer.execute(
        "INSERT INTO admin_flags (\(Self.columns)) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING", name,
        version, content.encoded(), putAt)
      : try writer.execute(
        "UPDATE admin_flags SET version = $2, content = $3, put_at = $4 WHERE name = $1 AND version = $2 - 1", name,
        version, content.encoded(), putAt)
    return changed == 1
  }

  var compiled: CompiledFlag { CompiledFlag(name: name, version: version, content: content) }
}

extension AdminAPI.Flag {
  /// A flag as it is told to staff.
  /// - Parameter row: nil for one that was never put.
  init(_ declaration: FlagDeclaration, _ row: FlagRow?) {
    self = row?.content ?? AdminAPI.Flag()
    name = declaration.name
    purpose = declaration.purpose
    defaultValue = SettingValue(declaration.standard)
    etag = row.map { String($0.version) } ?? ""
    putTime = row.map { Timestamp($0.putAt) }
  }
}
