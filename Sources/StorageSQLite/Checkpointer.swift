internal import Base
internal import Storage

/// Copies the write-ahead log back into the database file, away from the commits.
///
/// A thread of its own copies while commits go on (PASSIVE blocks nobody). Under load it never quite catches up, and
/// the log starts over only when it has been copied to its last page. So when little is left, the writer's thread
/// copies the rest between two commits.
final class Checkpointer: @unchecked Sendable {
  // Unchecked because `logPages` belongs to the writer's thread and the rest is immutable or locked.

  /// How far the copying of a long log has come. Each state follows the one before it.
  private enum Progress {
    /// The log is short, or has just been copied to its end.
    case idle
    /// The thread copies. How long the log is by now.
    case copying(logged: Int)
    /// Little is left, which the writer copies after its next commit.
    case nearlyDone
  }

  private let logPages: UnsafeMutablePointer<Int32>
  private let requests = BlockingQueue<Void>(limit: 1)
  private let progress = Locked(Progress.idle)
  private let done = Locked(0)
  private let startingPages: Int
  private let gate: WriteGate

  /// - Parameters:
  ///   - startingPages: how long the log may get before it is copied.
  ///   - gate: closed when copying fails in a way that makes the disk doubtful.
  init(startingPages: Int, gate: WriteGate) {
    self.gate = gate
    self.startingPages = startingPages
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
    let logged = Int(logPages.pointee)
    let isLong = logged >= startingPages
    var (begins, ends) = (false, false)
    progress.withLock { progress in
      switch progress {
      case .idle where isLong:
        progress = .copying(logged: logged)
        begins = true
      case .idle: break
      case .copying:
        progress = .copying(logged: logged)
      case .nearlyDone:
        progress = .idle
        ends = true
      }
    }
    // The thread is told of one log at a time, so there is room; closed means that it has ended.
    if begins { try? requests.push(()) }
    guard ends else { return }
    // When nothing was left, the commit itself has made the log start over.
    if isLong { finish(on: writer) } else { done.withLock { $0 += 1 } }
  }

  private func finish(on writer: SQLiteConnection) {
    if let progress = copy(with: writer), progress.copied == progress.logged { done.withLock { $0 += 1 } }
    logPages.pointee = 0
  }

  /// Copies what it can. A failure loses nothing: the log stays. The gate learns of one that casts doubt on the disk.
  /// - Returns: pages in the log and pages of them that have been copied; nil if nothing was copied.
  private func copy(with connection: SQLiteConnection) -> (logged: Int, copied: Int)? {
    // On a doubtful disk nothing more is copied: readers would be sent from the log to pages that may not be there.
    guard gate.refusal == nil else { return nil }
    defer { gate.close(after: connection) }
    return try? connection.checkpoint()
  }

  /// Serves the requests until `stop`, on the checkpointing thread.
  fileprivate func run(_ connection: SQLiteConnection) {
    while !requests.pop(atMost: 1).isEmpty {
      for _ in 0..<SQLiteLimits.checkpointRounds {
        guard let copied = copy(with: connection)?.copied else { break }
        // What SQLite calls the length of the log is that at the beginning of the round.
        guard case .copying(let logged) = progress.withLock({ $0 }) else { break }
        if logged - copied < SQLiteLimits.checkpointRemainder { break }
      }
      progress.withLock { $0 = .nearlyDone }
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
    connection.keepLogOnClose()
    connection.syncCopies()
  }

  func run() {
    checkpointer.run(connection)
  }
}
