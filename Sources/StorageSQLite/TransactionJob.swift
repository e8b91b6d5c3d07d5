internal import Storage

/// A body that waits for its turn on an engine's thread.
///
/// Unchecked because it is handed from the caller to one thread, which alone touches it from then on.
class TransactionJob: @unchecked Sendable {
  /// Runs the body and keeps its result, replacing that of an earlier run.
  func run(_ transaction: SQLiteTransaction) throws {
    preconditionFailure("overridden")
  }

  /// Gives the kept result, or `error`, to the caller. Once.
  func finish(_ error: (any Error)?) {
    preconditionFailure("overridden")
  }
}

/// A job with the type of its result.
final class BodyJob<Result: Sendable>: TransactionJob, @unchecked Sendable {
  private let body: @Sendable (SQLiteTransaction) throws -> Result
  private let continuation: UnsafeContinuation<Result, any Error>
  private var result: Result?

  init(
    _ body: @escaping @Sendable (SQLiteTransaction) throws -> Result,
    _ continuation: UnsafeContinuation<Result, any Error>
  ) {
    self.body = body
    self.continuation = continuation
  }

  override func run(_ transaction: SQLiteTransaction) throws {
    result = nil
    result = try transaction.run(body)
  }

  override func finish(_ error: (any Error)?) {
    if let error {
      continuation.resume(throwing: error)
    } else if let result {
      continuation.resume(returning: result)
    } else {
      preconditionFailure("a body that did not run cannot succeed")
    }
  }
}
