import Admin
import Audit
import Base
import Blobs
import Chat
import DomainKit
import Foundation
import Identity
import Media
import Notify
import PostgreSQLServer
import Rides
import Search
import Social
import StoragePostgreSQL
import StorageSQLite
import Streaming
import Testing

@testable import Storage

/// Every step of every component of an octetd, and databases as earlier versions left them.
enum SchemaHistory {
  private static let domains: [any Domain.Type] = [
    IdentityDomain.self, ChatDomain.self, NotifyDomain.self, AdminDomain.self, RidesDomain.self, SocialDomain.self,
    MediaDomain.self, SearchDomain.self, AuditDomain.self,
  ]

  /// In the order in which an octetd applies them.
  static let steps =
    StorageSchema.migrations + NodeRegistry.migrations + TopicStore.migrations + BlobSchema.migrations
    + Sights.migrations
    + domains.flatMap { $0.migrations }

  /// A state that the schema may be found in.
  struct Version: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let steps: [Migration]
  }

  /// One for each step that was the last one of its component once, and one for each number of steps that all components
  /// have at most.
  static let versions: [Version] = {
    let lengths = Dictionary(grouping: steps, by: \.component).mapValues(\.count)
    let byComponent = lengths.sorted { $0.key < $1.key }.flatMap { component, length in
      (1..<length).map { last in
        Version(
          testDescription: "\(component) at \(last)",
          steps: steps.filter { $0.component != component || $0.number <= last })
      }
    }
    let byNumber = (1..<(lengths.values.max() ?? 1)).map { last in
      Version(testDescription: "all at \(last)", steps: steps.filter { $0.number <= last })
    }
    return byComponent + byNumber
  }()

  /// A place for one database of the engine under test, which can be opened by one version after the other.
  struct Place: Sendable {
    private let url: String
    private let clock = ManualClock()

    static func make() async throws -> Place {
      if EngineUnderTest.isPostgreSQL { return Place(url: try await PostgreSQLServer.common().makeDatabase()) }
      return Place(
        url: FileManager.default.temporaryDirectory.appending(path: "octet-history-\(UUID().uuidString)/octet.db").path)
    }

    func open(_ steps: [Migration]) async throws -> any Database {
      guard EngineUnderTest.isPostgreSQL else {
        return try await SQLiteDatabase.open(path: url, steps: steps, clock: clock)
      }
      var options = PostgreSQLOptions.ofTests
      (options.writers, options.readers) = (1, 1)
      return try await PostgreSQLDatabase.open(url: url, steps: steps, clock: clock, options: options)
    }

    func remove() {
      guard !EngineUnderTest.isPostgreSQL else { return }
      try? FileManager.default.removeItem(at: URL(filePath: url).deletingLastPathComponent())
    }
  }
}

/// A table as one version knows it, with rows that nothing but its columns is known of.
struct TableSample: Sendable {
  struct Column: Sendable {
    let name: String
    let type: String
  }

  let name: String
  let columns: [Column]
  /// Whether rows must be there that it refers to.
  private let refers: Bool

  /// All tables of the components, those that refer to others last.
  static func all(of database: any Database) async throws -> [TableSample] {
    // Of each table there is one piece, which begins with its name.
    let pieces = try await database.schemaText().split(separator: "\n\n")
    let names = pieces.compactMap { piece in
      piece.firstMatch(of: /^CREATE TABLE (\w+)/).map { (String($0.1), piece.contains(" REFERENCES ")) }
    }
    let own = names.filter { !$0.0.hasPrefix("octet_migration") }
    let samples = try await database.read { reader in
      try own.map { name, refers in
        TableSample(name: name, columns: try columns(of: name, reader), refers: refers)
      }
    }
    return samples.filter { !$0.refers } + samples.filter(\.refers)
  }

  private static func columns(of table: String, _ reader: any Reader) throws -> [Column] {
    let sql =
      reader.dialect == .postgreSQL
      ? """
      SELECT CAST(attname AS TEXT), format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
      """ : "SELECT name, type FROM pragma_table_info($1) ORDER BY cid"
    return try reader.rows(sql, table) { Column(name: $0[0], type: $0[1]) }
  }

  /// The same for the same number in every table, so that what refers to a row finds it.
  func row(_ number: Int) -> [SQLValue] {
    columns.map { column in
      switch column.type.lowercased() {
      case "integer", "bigint": .integer(Int64(1000 + number))
      case "real", "double precision": .double(Double(number) + 0.5)
      case "text": .text("text \(number)")
      case "blob", "bytea": .blob([UInt8(number), 0, 255])
      case let other: preconditionFailure("\(name).\(column.name) is a \(other)")
      }
    }
  }

  private var list: String { columns.map { "\"\($0.name)\"" }.joined(separator: ", ") }

  func insert(_ number: Int, in writer: any Writer) throws {
    let places = (1...columns.count).map { "$\($0)" }.joined(separator: ", ")
    try writer.execute("INSERT INTO \(name) (\(list)) VALUES (\(places))", row(number))
  }

  /// Writes every column of a row, as a program does that knows these and no others.
  /// - Returns: how many rows it was.
  func update(_ number: Int, in writer: any Writer) throws -> Int {
    let all = columns.map { "\"\($0.name)\" = \"\($0.name)\"" }.joined(separator: ", ")
    return try writer.execute("UPDATE \(name) SET \(all) WHERE \"\(columns[0].name)\" = $1", [row(number)[0]])
  }

  func delete(_ number: Int, in writer: any Writer) throws -> Int {
    try writer.execute("DELETE FROM \(name) WHERE \"\(columns[0].name)\" = $1", [row(number)[0]])
  }

  func rows(_ reader: any Reader) throws -> Set<[SQLValue]> {
    let example = row(1)
    let rows = try reader.rows("SELECT \(list) FROM \(name)", [SQLValue]()) { row in
      example.enumerated().map { index, value -> SQLValue in
        if row.isNull(index) { return .null }
        return switch value {
        case .integer: .integer(row.integer(index))
        case .double: .double(row.double(index))
        case .text: .text(row.text(index))
        case .blob, .null: .blob(row.blob(index))
        }
      }
    }
    return Set(rows)
  }
}
