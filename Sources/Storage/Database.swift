/// Durable storage as domains see it. SQLite and PostgreSQL implement it; one conformance suite runs on both.
///
/// Bodies are synchronous: a transaction holds locks, so nothing in it can wait for anything but the database, and
/// an engine may run a body on a thread of its own without hops between statements (docs/adr/0002). A body may run
/// more than once (an engine retries lost races), so it must not have effects outside of the transaction.
public protocol Database: Sendable {
  /// Runs `body` on a consistent snapshot that contains every write acknowledged before the call.
  /// - Throws: what `body` throws, or a `StorageError`.
  func read<Result: Sendable>(
    _ body: @escaping @Sendable (any Reader) throws -> Result
  ) async throws -> Result

  /// Runs `body` in a transaction and returns once it is on disk. If `body` throws, nothing of it remains.
  ///
  /// A statement that fails ends its transaction, on every engine: even if `body` catches the error, further
  /// statements throw it again and nothing is written. Use `ON CONFLICT` where a conflict is expected.
  /// - Throws: what `body` throws, or a `StorageError`. When that is about the commit itself, the outcome is unknown
  ///   to the caller; a retry under the same idempotency key settles it.
  @discardableResult
  func write<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result

  /// Like `write`, for a body that looks up `key`: an engine may bring the rows of the request from the disk first, so
  /// that the transactions of others do not wait for that.
  @discardableResult
  func write<Result: Sendable>(
    serving key: RequestKey, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result

  /// How much work waits for a thread of the engine. From any thread.
  var waiting: (reads: Int, writes: Int) { get }

  /// Why nothing is written any more until the database is opened anew; nil while all is well. From any thread.
  var writeRefusal: StorageError? { get }

  /// The whole schema as text in a stable order, for golden files.
  func schemaText() async throws -> String

  /// Makes what was deleted until now unreadable in the engine's own files too, as far as that can be done while they
  /// are in use (docs/guides/erasure.md). Costs about as much as a checkpoint: for now and then, not for each commit.
  /// - Throws: `StorageError`; the same call may succeed later.
  func scrub() async throws

  /// Finishes what was accepted, refuses more, and lets go of all files or connections.
  func close() async
}

extension Database {
  @discardableResult
  public func write<Result: Sendable>(
    serving key: RequestKey, _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    try await write(body)
  }
}

/// Statements that read. Arguments are `$1`, `$2`, … in the SQL text, which is the same for all engines.
///
/// Valid only inside the body that received it, on that body's thread.
public protocol Reader {
  /// Which engine runs the statements, for the few that cannot be the same text.
  var dialect: SQLDialect { get }

  /// Calls `row` for each row of the result until it returns false. An engine may have fetched all of them before: put a
  /// LIMIT on what may be long.
  func forEachRow(_ sql: String, _ arguments: [SQLValue], _ row: (any Row) throws -> Bool) throws
}

/// Statements that read and write, in one transaction.
public protocol Writer: Reader {
  /// Runs a statement and returns how many rows it changed. A conditional write that changes 0 rows has lost.
  @discardableResult
  func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int

  /// Runs a statement whose count nobody wants. An engine whose server is far goes on without its answer, and sends
  /// several at once.
  ///
  /// If it fails, or changes no row although it must, the body may be run again from its start, each statement waited for
  /// this time, and learns of it here. So a condition is for exceptions: where losing is usual, ask for the count.
  /// - Parameter mustChange: whether the transaction must not commit if no row is changed.
  /// - Returns: false if no row was changed; true if one was, or if that is not known yet. Whoever gets false for a
  ///   statement that must change a row has to throw.
  func send(_ sql: String, _ arguments: [SQLValue], mustChange: Bool) throws -> Bool

  /// Runs one statement that changes the schema, written in the common dialect that `Migration` describes.
  func define(_ statement: String) throws

  /// Holds the lock with a name and a number until the transaction ends; waits for those who hold it otherwise. See
  /// `lock(_:_:)` of a name alone.
  func lock(_ name: StaticString, _ number: Int64, _ mode: LockMode) throws

  /// Calls `action` after the transaction has become durable, in the order of this process' commits; never if it rolls
  /// back.
  ///
  /// It runs on a thread of the engine and holds up the answers to the transactions behind it: hand over work, do not do
  /// it there.
  func afterCommit(_ action: @escaping @Sendable () -> Void)
}

extension Writer {
  /// Nothing: where there is one writer at a time it always is alone.
  public func lock(_ name: StaticString, _ number: Int64, _ mode: LockMode) throws {
    precondition(dialect == .sqlite, "an engine that has several writers at a time has to lock")
  }

  /// Waits: an engine in the same process has nothing to gain by going on.
  public func send(_ sql: String, _ arguments: [SQLValue], mustChange: Bool) throws -> Bool {
    try execute(sql, arguments) > 0
  }
}

/// One row of a result, valid inside the closure that receives it. Columns are numbered from 0.
///
/// Asking for another type than the column holds is a bug; the statement then fails with `.typeMismatch`.
/// Prefer the subscript, which takes the type from its use: `let id: Identifier = row[0]`.
public protocol Row {
  func isNull(_ column: Int) -> Bool
  func integer(_ column: Int) -> Int64
  func double(_ column: Int) -> Double
  func text(_ column: Int) -> String
  func blob(_ column: Int) -> [UInt8]
}

/// The engines that a statement can run on.
public enum SQLDialect: Sendable, Equatable {
  case sqlite
  case postgreSQL

  /// Ends a SELECT that takes its rows for itself until the transaction ends. SQLite admits one writer at a time,
  /// so there the rows are taken already.
  public var forUpdate: String { self == .postgreSQL ? " FOR UPDATE" : "" }

  /// Ends a SELECT whose rows nobody may change until the transaction ends, though others may hold on to them as well.
  public var forShare: String { self == .postgreSQL ? " FOR SHARE" : "" }

  /// Like `forUpdate`, but leaves out the rows that others hold.
  public var forUpdateSkippingLocked: String { self == .postgreSQL ? " FOR UPDATE SKIP LOCKED" : "" }
}

/// Thrown by a body that has lost a race it can win by starting over: the engine rolls back and runs it again, a few
/// times; then the caller sees `StorageError` with code `.conflict`.
public struct RetryTransaction: Error {
  public init() {}
}
