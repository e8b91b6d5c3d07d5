internal import CLinux

/// An open file: reads and writes at offsets, made durable on request. All calls block; none belongs on an event loop.
///
/// May be shared between threads; the system orders what they do. The descriptor is closed with the last reference.
public final class DiskFile: Sendable {
  /// What to open a file for.
  public enum Mode: Sendable {
    /// The file must exist.
    case read
    /// Reads and writes; made with mode 0600 if there is none.
    case readWrite
    /// Writes; the file must not exist yet.
    case create
  }

  private let descriptor: Int32

  /// Opens a file. Programs that are started later do not inherit it.
  public init(_ path: String, _ mode: Mode) throws(FileError) {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .readWrite: O_RDWR | O_CREAT
      case .create: O_RDWR | O_CREAT | O_EXCL
      }
    descriptor = octet_open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw FileError("open", lastError) }
  }

  deinit {
    close(descriptor)
  }

  /// How many bytes the file has.
  public func size() throws(FileError) -> UInt64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError("fstat", lastError) }
    return UInt64(status.st_size)
  }

  /// Up to `count` bytes from `offset` on: fewer only where the file ends.
  public func read(at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      guard let base = buffer.baseAddress else { return }
      while filled < count {
        let taken = pread(descriptor, base + filled, count - filled, off_t(offset) + filled)
        if taken < 0 && lastError == EINTR { continue }
        if taken < 0 { failure = FileError("pread", lastError) }
        guard taken > 0 else { break }
        filled += taken
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Writes all of `bytes` from `offset` on. When it throws, any part of them may have been written.
  public func write(_ bytes: [UInt8], at offset: UInt64) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        // Not empty, so it has an address.
        pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + done)
      }
      if count < 0 && lastError == EINTR { continue }
      guard count > 0 else { throw FileError("pwrite", count < 0 ? lastError : EIO) }
      done += count
    }
  }

  /// Cuts or extends the file.
  public func truncate(to size: UInt64) throws(FileError) {
    while ftruncate(descriptor, off_t(size)) != 0 {
      guard lastError == EINTR else { throw FileError("ftruncate", lastError) }
    }
  }

  /// Returns once the content and the size are on disk. After a failure the state of what was not on disk before is
  /// unknown, and a second call says nothing about it: write it again.
  public func synchronize() throws(FileError) {
    guard fdatasync(descriptor) == 0 else { throw FileError("fdatasync", lastError) }
  }

  /// Takes the file for this open handle alone, against others that ask the same; in this process and others.
  /// - Returns: whether it was free. It is free again when the handle closes or the process ends.
  public func lock() throws(FileError) -> Bool {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if lastError == EWOULDBLOCK { return false }
      guard lastError == EINTR else { throw FileError("flock", lastError) }
    }
    return true
  }

  /// Gives the lock back at once: a program that is just being started may share the descriptor until it runs.
  public func unlock() {
    flock(descriptor, LOCK_UN)
  }
}

/// Why a file or folder could not be used. Holds no path: paths may tell what is private.
public struct FileError: Error, Equatable, CustomStringConvertible {
  /// The call to the system.
  public let operation: String

  /// Its errno.
  public let code: Int32

  init(_ operation: String, _ code: Int32) {
    self.operation = operation
    self.code = code
  }

  /// Whether the disk, or the share of it that the process may use, is full.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

  /// Whether there is no such file or folder.
  public var isMissing: Bool { code == ENOENT }

  /// Whether the process or the system has too many files open.
  public var isTooManyOpen: Bool { code == EMFILE || code == ENFILE }

  public var description: String { "\(operation): \(String(cString: strerror(code))) (errno \(code))" }
}
