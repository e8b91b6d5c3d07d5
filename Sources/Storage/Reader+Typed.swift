/// Statements with typed arguments: `writer.execute("UPDATE rides SET state = $2 WHERE id = $1", id, state)`.
///
/// The arguments are existentials and not a parameter pack: packs are not specialised across modules yet, and looking
/// up the metadata of their tuples cost more than a small statement's step.

extension Reader {
  /// Calls `row` for each row of the result.
  public func query(_ sql: String, _ arguments: [SQLValue], row: (any Row) throws -> Void) throws {
    try forEachRow(sql, arguments) { each in
      try row(each)
      return true
    }
  }

  /// All rows of the result, each turned into a value by `make`.
  public func rows<Value>(
    _ sql: String, _ arguments: any SQLBindable..., make: (any Row) throws -> Value
  ) throws -> [Value] {
    try rows(sql, sqlValues(arguments), make: make)
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
  public func first<Value>(
    _ sql: String, _ arguments: any SQLBindable..., make: (any Row) throws -> Value
  ) throws -> Value? {
    try first(sql, sqlValues(arguments), make: make)
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
  public func exists(_ sql: String, _ arguments: any SQLBindable...) throws -> Bool {
    try first(sql, sqlValues(arguments)) { _ in true } ?? false
  }
}

extension Writer {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @discardableResult
  public func execute(_ sql: String, _ arguments: any SQLBindable...) throws -> Int {
    try execute(sql, sqlValues(arguments))
  }

  /// Runs a statement whose count nobody wants: on PostgreSQL it travels with those that follow, instead of waiting for
  /// an answer of its own.
  public func send(_ sql: String, _ arguments: any SQLBindable...) throws {
    _ = try send(sql, sqlValues(arguments), mustChange: false)
  }

  /// The same for a statement that must change a row.
  /// - Parameter refusal: what the transaction fails with otherwise. For exceptions: see `send` of the protocol.
  public func send(
    _ sql: String, _ arguments: any SQLBindable..., orElse refusal: @autoclosure () -> any Error
  ) throws {
    guard try send(sql, sqlValues(arguments), mustChange: true) else { throw refusal() }
  }

  /// Like `first`, but takes the row for this transaction: what it shows stays true until the commit.
  /// - Parameter sql: a SELECT without a locking clause.
  public func firstForUpdate<Value>(
    _ sql: String, _ arguments: any SQLBindable..., make: (any Row) throws -> Value
  ) throws -> Value? {
    // An engine finds a text that is the same each time more quickly than one that is made for the occasion.
    let clause = dialect.forUpdate
    return try first(clause.isEmpty ? sql : sql + clause, sqlValues(arguments), make: make)
  }
}

private func sqlValues(_ arguments: [any SQLBindable]) -> [SQLValue] {
  arguments.map { $0.sqlValue }
}
