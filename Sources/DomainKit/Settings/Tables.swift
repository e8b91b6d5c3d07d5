public import Base
public import Storage

/// Tables of dated rows that staff keeps: fares, fees, calendars, limits. The admin domain implements it.
public protocol Tables: Sendable {
  /// The row of a key that is in force at an instant: from ≤ instant < to. Nil if none is.
  ///
  /// What it gives for an instant that has passed never changes, so a booking may keep the row's id.
  func row(_ key: String, of table: TableDefinition, at instant: Instant, in reader: any Reader) throws -> DatedRow?

  /// The rows of all keys that are in force at an instant, by key.
  /// - Parameter key: the last one of the page before.
  func rows(
    of table: TableDefinition, at instant: Instant, after key: String?, limit: Int, in reader: any Reader
  ) throws -> [DatedRow]

  /// The rows of a key: what was, what is and what will be in force, in this order.
  /// - Parameter beginning: of the last one of the page before.
  func rows(
    _ key: String, of table: TableDefinition, after beginning: Instant?, limit: Int, in reader: any Reader
  ) throws -> [DatedRow]

  /// Puts a new row in the caller's transaction. Of two that change rows of one key, one waits for the other.
  ///
  /// It makes no record of its own: for a call of staff `kit.mutate` does.
  /// - Parameter ends: whether the row that is in force when this one begins ends then; otherwise it is in the way.
  /// - Throws: `TableError`.
  @discardableResult
  func put(
    _ row: RowDraft, of table: TableDefinition, endingTheOneBefore ends: Bool, in writer: any Writer
  ) throws -> DatedRow

  /// Ends a row, which must not have ended yet. One that has not begun can end with its beginning: then it is gone.
  /// - Parameter version: of the row that was read.
  /// - Throws: `TableError`; `KitError.notFound`, `.etagMismatch`.
  @discardableResult
  func end(
    _ row: Identifier, of table: TableDefinition, at instant: Instant, version: Int64, in writer: any Writer
  ) throws -> DatedRow
}

extension Tables {
  /// Puts a new row, which must not overlap another.
  @discardableResult
  public func put(_ row: RowDraft, of table: TableDefinition, in writer: any Writer) throws -> DatedRow {
    try put(row, of: table, endingTheOneBefore: false, in: writer)
  }
}

/// A table as its domain declares it.
///
///     enum FeeTable {
///       static let base = DatedColumn<Money>("base", "What a delivery costs at least.", standard: …)
///       static let perKM = DatedColumn<Int64>("per_km_minor", "For each kilometre, in minor units.", standard: 0, in: 0...100_000)
///       static let table = TableDefinition("shop.fees", "What deliveries cost.", key: "store", columns: [base, perKM])
///     }
///     …
///     let fee = try tables.row(store, of: FeeTable.table, at: now, in: reader)
///     fee?[FeeTable.base]
///
/// The domain names it in `Domain.tables`; staff cannot put rows into others.
public struct TableDefinition: Sendable {
  public let name: String
  public let purpose: String
  /// What the keys of its rows are.
  public let keyPurpose: String
  public let columns: [ColumnDeclaration]

  /// - Parameters:
  ///   - name: the domain's name, a dot, and a word.
  ///   - purpose: what it decides, in a sentence.
  ///   - key: what the keys of its rows are.
  public init(_ name: String, _ purpose: String, key: String, columns: [any DeclaredColumn]) {
    precondition(name.utf8.contains(UInt8(ascii: ".")), "a table is named by its domain")
    self.name = name
    self.purpose = purpose
    keyPurpose = key
    self.columns = columns.map(\.declaration)
    precondition(Set(self.columns.map(\.name)).count == columns.count, "two columns of one name in \(name)")
  }
}

/// A column with a type of its own.
public protocol DeclaredColumn: Sendable {
  var declaration: ColumnDeclaration { get }
}

/// A column of a table.
public struct DatedColumn<Value: SettingType>: DeclaredColumn {
  public let declaration: ColumnDeclaration
  let standard: Value

  /// - Parameters:
  ///   - name: a word, with the unit of a number.
  ///   - standard: the value of rows that do not say, such as those that are older than the column.
  ///   - range: of integers, and of amounts in minor units.
  public init(
    _ name: String, _ purpose: String, standard: Value, in range: ClosedRange<Int64> = Int64.min...Int64.max
  ) {
    self.standard = standard
    declaration = ColumnDeclaration(name: name, purpose: purpose, standard: standard.typedValue, range: range)
  }
}

/// A column without its Swift type.
public struct ColumnDeclaration: Sendable, Equatable {
  public let name: String
  public let purpose: String
  public let standard: TypedValue
  /// Of integers, and of amounts in minor units.
  public let range: ClosedRange<Int64>
}

/// A row of a table.
public struct DatedRow: Sendable, Equatable {
  /// Of the printed id.
  public static let idKind = "trow"

  /// `trow_…`.
  public let id: Identifier
  public let key: String
  /// The first instant at which it is in force.
  public let from: Instant
  /// The first instant at which it is not in force any more; nil for no end.
  public let to: Instant?
  /// Rises with each change of the row.
  public let version: Int64
  private let values: [String: TypedValue]

  public init(
    id: Identifier, key: String, from: Instant, to: Instant?, version: Int64, values: [String: TypedValue]
  ) {
    self.version = version
    self.id = id
    self.key = key
    self.from = from
    self.to = to
    self.values = values
  }

  /// The value in a column of the row's table.
  public subscript<Value>(column: DatedColumn<Value>) -> Value {
    values[column.declaration.name].flatMap(Value.init) ?? column.standard
  }
}
