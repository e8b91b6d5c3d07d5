/// Statements with typed arguments: `writer.execute("UPDATE rides SET state = $2 WHERE id = $1", id, state)`.

extension Reader {
  /// Calls `row` for each row of the result.
  @inlinable
  public func query(_ sql: String, _ arguments: [SQLValue], row: (any Row) throws -> Void) throws {
    try forEachRow(sql, arguments) { each in
      try row(each)
      return true
    }
  }

  /// All rows of the result, each turned into a value by `make`.
  @inlinable
  public func rows<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> [Value] {
    try rows(sql, sqlValues(repeat each arguments), make: make)
  }

  /// All rows of the result, for arguments that are known only at run time.
  @inlinable
  public func rows<Value>(
    _ sql: String, _ arguments: [SQLValue], make: (any Row) throws -> Value
  ) throws -> [Value] {
    var result: [Value] = []
    try forEachRow(sql, arguments) { row in
      result.append(try make(row))
      return true
    }
    return result
  }

  /// The first row of the result, or nil if there is none.
  @inlinable
  public func first<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> Value? {
    try first(sql, sqlValues(repeat each arguments), make: make)
  }

  /// The first row of the result, for arguments that are known only at run time.
  @inlinable
  public func first<Value>(
    _ sql: String, _ arguments: [SQLValue], make: (any Row) throws -> Value
  ) throws -> Value? {
    var result: Value?
    try forEachRow(sql, arguments) { row in
      result = try make(row)
      return false
    }
    return result
  }

  /// Whether the result has a row.
  @inlinable
  public func exists<each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument
  ) throws -> Bool {
    try first(sql, sqlValues(repeat each arguments)) { _ in true } ?? false
  }
}

extension Writer {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @discardableResult @inlinable
  public func execute<each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument
  ) throws -> Int {
    try execute(sql, sqlValues(repeat each arguments))
  }

  /// Like `first`, but takes the row for this transaction: what it shows stays true until the commit.
  /// - Parameter sql: a SELECT without a locking clause.
  @inlinable
  public func firstForUpdate<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> Value? {
    try first(sql + dialect.forUpdate, sqlValues(repeat each arguments), make: make)
  }
}

/// The arguments as values, for statements that are put together at run time.
@inlinable
public func sqlValues<each Argument: SQLBindable>(_ arguments: repeat each Argument) -> [SQLValue] {
  var count = 0
  for _ in repeat (each Argument).self { count += 1 }
  var values: [SQLValue] = []
  values.reserveCapacity(count)
  for argument in repeat each arguments {
    values.append(argument.sqlValue)
  }
  return values
}
