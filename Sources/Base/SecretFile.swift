internal import CLinux

/// A small file that only its owner may read, such as a server's root key.
public enum SecretFile {
  /// Greatest size of a secret file, in bytes.
  public static let sizeLimit = 64 << 10

  /// The content of the file at `path`, or nil if there is none.
  /// - Throws: `SecretFileError` if it cannot be read, is larger than `sizeLimit`, or others may read or write it.
  public static func read(_ path: String) throws(SecretFileError) -> [UInt8]? {
    let file = octet_open(path, O_RDONLY | O_CLOEXEC, 0)
    if file < 0 && lastError == ENOENT { return nil }
    guard file >= 0 else { throw .system("open", lastError) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .system("fstat", lastError) }
    guard status.st_mode & 0o077 == 0 else { throw .openToOthers }
    guard status.st_size <= sizeLimit else { throw .tooLarge }
    var content = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < content.count {
      let count = content.withUnsafeMutableBytes { buffer in
        CLinux.read(file, buffer.baseAddress! + filled, buffer.count - filled)  // not empty, so it has an address
      }
      if count < 0 && lastError == EINTR { continue }
      guard count > 0 else { throw .system("read", count < 0 ? lastError : EIO) }
      filled += count
    }
    return content
  }

  /// Makes the file at `path` with mode 0600 and returns once it is on disk. It never overwrites: of two processes
  /// that start at once, one gets `false` and reads what the other wrote.
  public static func create(_ path: String, _ content: [UInt8]) throws(SecretFileError) -> Bool {
    precondition(content.count <= sizeLimit, "a secret file is small")
    let temporary = "\(path).\(getpid()).new"
    unlink(temporary)
    let file = octet_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .system("open", lastError) }
    defer {
      close(file)
      unlink(temporary)
    }
    var done = 0
    while done < content.count {
      let count = content.withUnsafeBytes { CLinux.write(file, $0.baseAddress! + done, $0.count - done) }  // not empty
      if count < 0 && lastError == EINTR { continue }
      guard count > 0 else { throw .system("write", lastError) }
      done += count
    }
    guard fsync(file) == 0 else { throw .system("fsync", lastError) }
    // A link rather than a rename, because a rename would replace a file that another process has just made.
    if link(temporary, path) != 0 {
      if lastError == EEXIST { return false }
      throw .system("link", lastError)
    }
    do throws(FileError) {
      try DiskFolder.synchronize(DiskFolder.parent(of: path))
    } catch {
      throw .system(error.operation, error.code)
    }
    return true
  }
}

/// The `errno` of the last call that failed on this thread.
var lastError: Int32 { __errno_location().pointee }

/// Why a secret file cannot be used.
public enum SecretFileError: Error, Equatable, CustomStringConvertible {
  /// A call to the system failed with an errno.
  case system(String, Int32)
  /// Its mode lets somebody else than its owner read or write it.
  case openToOthers
  /// It is larger than a secret file may be.
  case tooLarge

  public var description: String {
    switch self {
    case .system(let call, let code): "\(call) failed with errno \(code)"
    case .openToOthers: "the file can be read or written by others; its mode must be 0600"
    case .tooLarge: "the file is larger than \(SecretFile.sizeLimit) bytes"
    }
  }
}
