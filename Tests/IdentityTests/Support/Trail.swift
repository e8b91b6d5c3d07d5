import Base
import DomainKit
import Storage

/// A trail in memory, of what committed.
final class Trail: Audit {
  private let committed = Locked([AuditEntry]())

  var entries: [AuditEntry] { committed.withLock { $0 } }

  func record(_ entry: AuditEntry, in writer: any Writer) throws {
    writer.afterCommit { [committed] in committed.withLock { $0.append(entry) } }
  }

  /// The entries of an action.
  func entries(_ action: String) -> [AuditEntry] { entries.filter { $0.action.text == action } }
}
