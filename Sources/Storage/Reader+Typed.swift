/// Statements with typed arguments: `writer.execute("UPDATE rides SET state = $2 WHERE id = $1", id, state)`.

extension Reader {
  /// Calls `row` for each row of the result.
  public func query(_ sql: String, _ arguments: [SQLValue], row: (any Row) throws -> Void) throws {
    try forEachRow(sql, arguments) { each in
      try row(each)
      return true
    }
  }

  /// All rows of the result, each turned into a value by `make`.
  public func rows<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> [Value] {
    try rows(sql, values(repeat each arguments), make: make)
  }

  /// All rows of the result, for arguments that are known only at run time.
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
  public func first<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> Value? {
    try first(sql, values(repeat each arguments), make: make)
  }

  /// The first row of the result, for arguments that are known only at run time.
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
  public func exists<each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument
  ) throws -> Bool {
    try first(sql, values(repeat each arguments)) { _ in true } ?? false
  }
}

extension Writer {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @discardableResult
  public func execute<each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument
  ) throws -> Int {
    try execute(sql, values(repeat each arguments))
  }

  /// Like `first`, but takes the row for this transaction: what it shows stays true until the commit.
  /// - Parameter sql: a SELECT without a locking clause.
  public func firstForUpdate<Value, each Argument: SQLBindable>(
    _ sql: String, _ arguments: repeat each Argument, make: (any Row) throws -> Value
  ) throws -> Value? {
    try first(sql + dialect.forUpdate, values(repeat each arguments), make: make)
  }
}

private func values<each Argument: SQLBindable>(_ arguments: repeat each Argument) -> [SQLValue] {
  var values: [SQLValue] = []
  for argument in repeat each arguments {
    values.append(argument.sqlValue)
  }
  return values
}
