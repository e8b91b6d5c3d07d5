package import Base

/// A transaction object of an engine, given to one body.
package protocol EngineTransaction: Writer, SendableMetatype {
  /// Runs a body and ends this object.
  /// - Throws: what the body throws, or the error of a failed statement that the body has swallowed.
  func run<Result>(_ body: (Self) throws -> Result) throws -> Result
}

/// A body that waits for its turn on an engine's thread.
///
/// Unchecked because it is handed from the caller to one thread at a time, which alone touches it from then on.
package class TransactionJob<Transaction: EngineTransaction>: @unchecked Sendable {
  package init() {}

  /// Runs the body and keeps its result, replacing that of an earlier run.
  package func run(_ transaction: Transaction) throws {
    preconditionFailure("overridden")
  }

  /// Gives the kept result, or `error`, to the caller. Once.
  package func finish(_ error: (any Error)?) {
    preconditionFailure("overridden")
  }
}

/// A job with the type of its result. Its continuation, which must be resumed once, is resumed by `finish` alone.
@safe
package final class BodyJob<Transaction: EngineTransaction, Result: Sendable>: TransactionJob<Transaction>,
  @unchecked Sendable
{
  private let body: @Sendable (Transaction) throws -> Result
  private let continuation: UnsafeContinuation<Result, any Error>
  private var result: Result?

  package init(
    _ body: @escaping @Sendable (Transaction) throws -> Result, _ continuation: UnsafeContinuation<Result, any Error>
  ) {
    self.body = body
    unsafe self.continuation = continuation
  }

  package override func run(_ transaction: Transaction) throws {
    result = nil
    result = try transaction.run(body)
  }

  package override func finish(_ error: (any Error)?) {
    if let error {
      unsafe continuation.resume(throwing: error)
    } else if let result {
      unsafe continuation.resume(returning: result)
    } else {
      preconditionFailure("a body that did not run cannot succeed")
    }
  }
}

/// A write that first brings what it will look for from the disk, on a thread for reading: where that thread has been,
/// the one that writes finds the pages in the system's memory.
package final class WarmedJob<Transaction: EngineTransaction>: TransactionJob<Transaction>, @unchecked Sendable {
  private let key: RequestKey
  private let goOn: @Sendable () -> Void

  /// - Parameter goOn: queues the write itself.
  init(_ key: RequestKey, _ goOn: @escaping @Sendable () -> Void) {
    self.key = key
    self.goOn = goOn
  }

  package override func run(_ transaction: Transaction) throws {
    try transaction.run { try $0.warm(key) }
  }

  package override func finish(_ error: (any Error)?) {
    // What kept the reader from it is the writer's to meet, and to report.
    goOn()
  }
}

extension BlockingQueue {
  /// Queues a body for an engine's thread and waits for its outcome.
  /// - Throws: what the body throws; `StorageError` with code `.overloaded` or `.closed` if the queue refuses.
  package func perform<Transaction: EngineTransaction, Result: Sendable>(
    _ operation: String, _ body: @escaping @Sendable (Transaction) throws -> Result
  ) async throws -> Result where Element == TransactionJob<Transaction> {
    try Task.checkCancellation()
    return try await unsafe withUnsafeThrowingContinuation { continuation in
      enqueue(unsafe BodyJob(body, continuation), operation)
    }
  }

  /// Like `perform`, after a thread that serves `readers` has looked up `key`; without that if their queue is full.
  package func perform<Transaction: EngineTransaction, Result: Sendable>(
    _ operation: String, warming key: RequestKey, on readers: BlockingQueue<Element>,
    _ body: @escaping @Sendable (Transaction) throws -> Result
  ) async throws -> Result where Element == TransactionJob<Transaction> {
    try Task.checkCancellation()
    return try await unsafe withUnsafeThrowingContinuation { continuation in
      let job = unsafe BodyJob(body, continuation)
      do throws(QueueRefusal) {
        try readers.push(WarmedJob<Transaction>(key) { [self] in enqueue(job, operation) })
      } catch {
        // It is the write that was asked for.
        enqueue(job, operation)
      }
    }
  }

  /// Queues a job, which is told if the queue refuses.
  private func enqueue<Transaction: EngineTransaction>(
    _ job: TransactionJob<Transaction>, _ operation: String
  ) where Element == TransactionJob<Transaction> {
    do throws(QueueRefusal) {
      try push(job)
    } catch {
      let code: StorageError.Code = error == .full ? .overloaded : .closed
      job.finish(StorageError(code, operation: operation, message: "the queue is \(error)"))
    }
  }
}
