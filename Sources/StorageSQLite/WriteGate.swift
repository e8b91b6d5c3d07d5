internal import Base
internal import Storage

/// Whether the disk is still trusted with writes.
///
/// After a failed write or sync nobody knows what is on the disk: Linux drops the pages that it could not write and
/// reports that once, so a sync that succeeds afterwards proves nothing. SQLite writes failed pages again, but the
/// engine does not build on that: it takes no further write until the database is opened anew, which recovers what
/// was acknowledged from the log. Reads go on. A full disk is another matter: it says so before anything is lost.
final class WriteGate: Sendable {
  private let cause = Locked<StorageError?>(nil)

  /// What every write is answered with; nil as long as writes are taken.
  var refusal: StorageError? {
    cause.withLock { $0 }.map { cause in
      StorageError(
        cause.code, operation: "write",
        message: "no writes are taken until the database is opened anew, since \(cause.operation): \(cause.message)")
    }
  }

  /// Closes the gate for good if `connection` has met damage.
  func close(after connection: SQLiteConnection) {
    guard let damage = connection.damage else { return }
    cause.withLock { $0 = $0 ?? damage }
  }

  /// Closes the gate for good if `connection`, which only reads, has found the file damaged. A read that fails is that
  /// reader's matter: it leaves the disk as it was.
  func close(afterReading connection: SQLiteConnection) {
    if connection.damage?.code == .corrupt { close(after: connection) }
  }
}
