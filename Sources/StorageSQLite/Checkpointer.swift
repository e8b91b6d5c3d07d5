internal import Base
internal import Storage

/// Copies the write-ahead log back into the database file, away from the commits.
///
/// A thread of its own copies while commits go on (PASSIVE blocks nobody), and syncs the file. Under load it never quite
/// catches up, and the log starts over only when it has been copied to its last page. So when little is left, the
/// writer's thread copies and syncs the rest between two commits.
///
/// What a reader's snapshot keeps in the log, nobody can copy. The thread then leaves it at that, and comes back when the
/// log has grown.
final class Checkpointer: @unchecked Sendable {
  // Unchecked because `logPages` and `lastLogged` belong to the writer's thread and the rest is immutable or locked.

  /// How far the copying of a long log has come.
  private enum Progress {
    /// Nobody copies, until the log is as long as this. Followed by `copying`.
    case idle(until: Int)
    /// The thread copies. How long the log is by now, and whether a commit has found all of it copied and begun it anew.
    /// Followed by any other.
    case copying(logged: Int, startedOver: Bool)
    /// Little is left behind this page, which the writer copies after its next commit. Followed by `idle`, or by
    /// `copying` if that commit was a large one.
    case nearlyDone(copied: Int)
    /// The log grows faster than the thread copies. The writer copies all, which holds up the commits. Followed by `idle`.
    case outrun
  }

  private let logPages: UnsafeMutablePointer<Int32>
  private var lastLogged = 0
  private let requests = BlockingQueue<Void>(limit: 1)
  private let progress: Locked<Progress>
  private let counts = Locked((finished: 0, outrun: 0))
  private let startingPages: Int
  private let gate: WriteGate
  /// Where a reader has kept the log, it is copied again when it has grown by this part of the pages that start it.
  private static let growths = 4

  /// - Parameters:
  ///   - startingPages: how long the log may get before it is copied.
  ///   - gate: closed when copying fails in a way that makes the disk doubtful.
  init(startingPages: Int, gate: WriteGate) {
    self.gate = gate
    self.startingPages = startingPages
    progress = Locked(.idle(until: startingPages))
    logPages = .allocate(capacity: 1)
    logPages.initialize(to: 0)
  }

  deinit {
    logPages.deallocate()
  }

  /// How often the log has been copied to its end, so that it starts over. From any thread.
  var finished: Int { counts.withLock { $0.finished } }

  /// How often the log grew faster than it was copied, so that the writer had to. From any thread.
  var outrun: Int { counts.withLock { $0.outrun } }

  /// Watches the commits of the writer's connection. The checkpointer must outlive it.
  func watch(_ writer: SQLiteConnection) {
    writer.reportLogSize(to: logPages)
  }

  /// Called by the writer's thread after each commit.
  func committed(on writer: SQLiteConnection) {
    let logged = Int(logPages.pointee)
    let startsOver = logged < lastLogged
    lastLogged = logged
    var (begins, ends) = (false, false)
    progress.withLock { progress in
      switch progress {
      case .idle(let until):
        if startsOver { progress = .idle(until: startingPages) }
        begins = logged >= (startsOver ? startingPages : until)
      case .copying(_, let startedOver):
        progress = .copying(logged: logged, startedOver: startedOver || startsOver)
      case .nearlyDone(let copied):
        ends = logged - copied < SQLiteLimits.checkpointRemainder
        begins = !ends
      case .outrun:
        ends = true
      }
      if begins { progress = .copying(logged: logged, startedOver: false) }
      if ends { progress = later(than: logged) }
    }
    // The thread is told of one log at a time, so there is room; closed means that it has ended.
    if begins { try? requests.push(()) }
    if ends, let round = copy(with: writer), round.copied == round.logged { counts.withLock { $0.finished += 1 } }
  }

  /// Unless the next commit starts the log over, for which no reader may use it: copying begins again when it has grown.
  private func later(than logged: Int) -> Progress {
    .idle(until: logged + max(1, startingPages / Self.growths))
  }

  /// Copies what it can. A failure loses nothing: the log stays. The gate learns of one that casts doubt on the disk.
  /// - Parameter syncs: whether the file is synced also if commits have come in meanwhile, when SQLite does not.
  /// - Returns: pages in the log at the beginning, and pages of them that have been copied; nil if nothing was copied.
  private func copy(with connection: SQLiteConnection, syncs: Bool = false) -> (logged: Int, copied: Int)? {
    // On a doubtful disk nothing more is copied: readers would be sent from the log to pages that may not be there.
    guard gate.refusal == nil else { return nil }
    defer { gate.close(after: connection) }
    do {
      let round = try connection.checkpoint()
      if syncs && round != nil { try connection.syncFile() }
      return round
    } catch {
      return nil
    }
  }

  /// Serves the requests until `stop`, on the checkpointing thread.
  fileprivate func run(_ connection: SQLiteConnection) {
    while !requests.pop(atMost: 1).isEmpty { copyAll(connection) }
  }

  /// Copies in rounds until little is left, or until that has no use.
  private func copyAll(_ connection: SQLiteConnection) {
    var (least, vainRounds) = (Int.max, 0)
    while true {
      let round = copy(with: connection, syncs: true)
      let isOver = progress.withLock { progress in
        guard case .copying(let logged, let startedOver) = progress else {
          preconditionFailure("only the thread that copies ends the copying")
        }
        // Somebody else copies, or the disk fails.
        guard let round else {
          progress = later(than: logged)
          return true
        }
        // A commit tells its length only after others may see it.
        let left = max(logged, round.logged) - round.copied
        if startedOver || round.logged == 0 || left == 0 {
          counts.withLock { $0.finished += 1 }
          progress = startedOver ? .idle(until: startingPages) : later(than: logged)
        } else if left < SQLiteLimits.checkpointRemainder {
          progress = .nearlyDone(copied: round.copied)
        } else if round.copied < round.logged {
          // A reader keeps the rest.
          progress = later(than: logged)
        } else {
          vainRounds = left <= least / 10 * 9 ? 0 : vainRounds + 1
          least = min(least, left)
          guard vainRounds == SQLiteLimits.checkpointRounds else { return false }
          counts.withLock { $0.outrun += 1 }
          progress = .outrun
        }
        return true
      }
      if isOver { return }
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
