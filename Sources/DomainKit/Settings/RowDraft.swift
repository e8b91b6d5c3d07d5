public import Base

/// A row that is to be put into a table.
///
///     var fee = RowDraft(store, from: monday)
///     fee[FeeTable.base] = request.baseMinor
///     try tables.put(fee, of: FeeTable.table, endingTheOneBefore: true, in: writer)
public struct RowDraft: Sendable, Equatable {
  public var key: String
  /// The first instant at which it is in force; nil for now.
  public var from: Instant?
  /// The first instant at which it is not in force any more; nil for no end.
  public var to: Instant?
  /// By column; the others have their standard values.
  public private(set) var values: [String: TypedValue] = [:]

  public init(_ key: String, from: Instant? = nil, to: Instant? = nil) {
    self.key = key
    self.from = from
    self.to = to
  }

  /// The value of a column of the row's table.
  public subscript<Value>(column: DatedColumn<Value>) -> Value {
    get { values[column.declaration.name].flatMap(Value.init) ?? column.standard }
    set { values[column.declaration.name] = newValue.typedValue }
  }
}
