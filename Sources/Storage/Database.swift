/// Durable storage as domains see it. SQLite and PostgreSQL implement it; one conformance suite runs on both.
///
/// Bodies are synchronous: a transaction holds locks, so nothing in it can wait for anything but the database, and
/// an engine may run a body on a thread of its own without hops between statements. A body may run more than once
/// (an engine retries lost races), so it must not have effects outside of the transaction.
public protocol Database: Sendable {
  /// Runs `body` on a consistent snapshot.
  func read<Result: Sendable>(
    _ body: @escaping @Sendable (any Reader) throws -> Result
  ) async throws -> Result

  /// Runs `body` in a transaction and returns once it is on disk. If `body` throws, nothing of it remains.
  func write<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result
}

/// Statements that read. Arguments are `$1`, `$2`, … in the SQL text, which is the same for all engines.
public protocol Reader {
  /// Calls `row` for each row of the result.
  func query(_ sql: String, _ arguments: [SQLValue], row: (any Row) throws -> Void) throws
}

/// Statements that read and write, in one transaction.
public protocol Writer: Reader {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @discardableResult
  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

  /// Calls `action` after the transaction has become durable, in commit order; never if it rolls back.
  func afterCommit(_ action: @escaping @Sendable () -> Void)
}

/// One row of a result, valid inside the closure that receives it. Columns are numbered from 0.
public protocol Row {
  func isNull(_ column: Int) -> Bool
  func integer(_ column: Int) -> Int64
  func double(_ column: Int) -> Double
  func text(_ column: Int) -> String
  func blob(_ column: Int) -> [UInt8]
}

/// A value bound to a statement.
public enum SQLValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case double(Double)
  case text(String)
  case blob([UInt8])
}
