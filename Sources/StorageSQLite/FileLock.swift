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
    guard flock(descriptor, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0, Self.isNamed(path, descriptor)
    else {
      close(descriptor)
      throw StorageError(.inUse, operation: "lock", message: "\(subject) is in use by another process")
    }
    self.descriptor = Locked(descriptor)
  }

  /// Whether a file that is open has this name. Whoever held its lock just before may have given it another one, or none.
  private static func isNamed(_ path: String, _ descriptor: Int32) -> Bool {
    var (held, named) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino
      && held.st_dev == named.st_dev
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
