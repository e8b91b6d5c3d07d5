internal import Base
internal import Storage

/// Copies the write-ahead log back into the database file, away from the commits.
///
/// A thread of its own copies while commits go on (PASSIVE blocks nobody). Under load it never quite catches up, and
/// the log starts over only when it has been copied to its last page. So when little is left, the writer's thread
/// copies the rest between two commits.
final class Checkpointer: @unchecked Sendable {
  // Unchecked because `logPages` belongs to the writer's thread and the rest is immutable or locked.
  private let logPages: UnsafeMutablePointer<Int32>
  private let requests = BlockingQueue<Void>(limit: 1)
  private let finishing = Locked(false)
  private let done = Locked(0)
  private let startingPages: Int32
  private let gate: WriteGate

  /// - Parameters:
  ///   - startingPages: how long the log may get before it is copied.
  ///   - gate: closed when copying fails in a way that makes the disk doubtful.
  init(startingPages: Int, gate: WriteGate) {
    self.gate = gate
    self.startingPages = Int32(clamping: startingPages)
    logPages = .allocate(capacity: 1)
    logPages.initialize(to: 0)
  }

  deinit {
    logPages.deallocate()
  }

  /// How often the log has been copied to its end, so that it starts over. From any thread.
  var finished: Int { done.withLock { $0 } }

  /// Watches the commits of the writer's connection. The checkpointer must outlive it.
  func watch(_ writer: SQLiteConnection) {
    writer.reportLogSize(to: logPages)
  }

  /// Called by the writer's thread after each commit.
  func committed(on writer: SQLiteConnection) {
    guard logPages.pointee >= startingPages else { return }
    let finishes = finishing.withLock { finishing in
      defer { finishing = false }
      return finishing
    }
    if finishes {
      // A failure loses nothing: the log stays. The gate learns of one that casts doubt on the disk.
      if let progress = try? writer.checkpoint(), progress.copied == progress.logged {
        done.withLock { $0 += 1 }
      }
      gate.close(after: writer)
      logPages.pointee = 0
    } else {
      // Full means that the thread has been told already.
      try? requests.push(())
    }
  }

  /// Serves the requests until `stop`, on the checkpointing thread.
  fileprivate func run(_ connection: SQLiteConnection) {
    while !requests.pop(atMost: 1).isEmpty {
      for _ in 0..<SQLiteLimits.checkpointRounds {
        guard let progress = try? connection.checkpoint() else {
          gate.close(after: connection)
          break
        }
        if progress.logged - progress.copied < SQLiteLimits.checkpointRemainder { break }
      }
      finishing.withLock { $0 = true }
    }
  }

  /// Ends the thread's body.
  func stop() {
    requests.close()
  }
}

/// The checkpointing thread's connection and body.
final class CheckpointWorker: @unchecked Sendable {
  // Unchecked because the connection belongs to the checkpointing thread.
  private let connection: SQLiteConnection
  private let checkpointer: Checkpointer

  init(_ connection: SQLiteConnection, _ checkpointer: Checkpointer) {
    self.connection = connection
    self.checkpointer = checkpointer
  }

  func run() {
    checkpointer.run(connection)
  }
}
