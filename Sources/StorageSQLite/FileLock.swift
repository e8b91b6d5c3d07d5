internal import Base
internal import Glibc
internal import Storage

/// A lock of a file, between processes and within one. Let go of by `unlock`, in deinit, or by the process's end.
final class FileLock: Sendable {
  enum Kind {
    /// Any number may hold it at once.
    case shared
    /// Nobody else may hold it.
    case exclusive
  }

  private let descriptor: Locked<Int32?>

  /// Takes the lock at once or not at all, and creates the file if it is missing.
  /// - Parameter subject: what the error says is in use.
  init(_ path: String, _ kind: Kind, subject: String) throws(StorageError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, SQLiteFiles.fileMode)
    guard descriptor >= 0 else { throw SQLiteFiles.error(.cannotOpen, "open", path) }
    guard flock(descriptor, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
      close(descriptor)
      throw StorageError(.inUse, operation: "lock", message: "\(subject) is in use by another process")
    }
    self.descriptor = Locked(descriptor)
  }

  deinit {
    unlock()
  }

  /// Lets go of the lock. May be repeated.
  func unlock() {
    descriptor.withLock { descriptor in
      guard let held = descriptor else { return }
      // A child process that is just being started may share the descriptor, so closing it might not be enough.
      flock(held, LOCK_UN)
      close(held)
      descriptor = nil
    }
  }

  /// Makes what was written to the locked file durable.
  func sync(_ path: String) throws(StorageError) {
    let result = descriptor.withLock { descriptor in descriptor.map { fsync($0) } ?? 0 }
    guard result == 0 else { throw SQLiteFiles.error(.ioFailure, "fsync", path) }
  }
}
