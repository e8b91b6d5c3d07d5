import Base
import DomainKit
import Storage

/// A trail in memory, of what committed. It can refuse to be written to.
final class Trail: Audit {
  private struct State {
    var committed: [AuditEntry] = []
    var isFull = false
  }

  private let state = Locked(State())

  var entries: [AuditEntry] { state.withLock { $0.committed } }

  func fill() { state.withLock { $0.isFull = true } }

  func record(_ entry: AuditEntry, in writer: any Writer) throws {
    if state.withLock({ $0.isFull }) { throw StorageError(.diskFull, operation: "record", message: "the disk is full") }
    writer.afterCommit { [state] in state.withLock { $0.committed.append(entry) } }
  }
}
