internal import Base
internal import Glibc
internal import Storage

/// The files around a database: created so that a crash cannot lose their names, and locked against other processes.
struct SQLiteFiles {
  /// Owner only: databases hold personal data.
  private static let directoryMode: mode_t = 0o700
  private static let fileMode: mode_t = 0o600

  /// Whether the last process to use the database did not close it.
  let wasLeftOpen: Bool

  private let path: String

  /// Holds the lock until it is closed.
  private let lockDescriptor: Int32

  /// Creates what is missing at `path` and locks it.
  init(path: String) throws(StorageError) {
    self.path = path
    try Self.createDirectory(Self.parent(of: path))
    let lockPath = path + ".lock"
    lockDescriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, Self.fileMode)
    guard lockDescriptor >= 0 else { throw Self.error(.cannotOpen, "open", lockPath) }
    guard flock(lockDescriptor, LOCK_EX | LOCK_NB) == 0 else {
      Glibc.close(lockDescriptor)
      throw StorageError(.inUse, operation: "lock", message: "\(path) is open in another process")
    }
    do throws(StorageError) {
      if access(path, F_OK) != 0 { try Self.createFile(path) }
    } catch {
      Glibc.close(lockDescriptor)
      throw error
    }
    // SQLite removes the log when the last connection closes.
    var status = stat()
    wasLeftOpen = stat(path + "-wal", &status) == 0 && status.st_size > 0
  }

  /// Lets go of the lock.
  func unlock() {
    // A child process that is just being started may share the descriptor, so closing it might not be enough.
    flock(lockDescriptor, LOCK_UN)
    Glibc.close(lockDescriptor)
  }

  /// Deletes the database and its directory, which must hold nothing else. For temporary ones.
  func remove() {
    for suffix in ["", "-wal", "-shm", ".lock"] { unlink(path + suffix) }
    rmdir(Self.parent(of: path))
  }

  /// A path for a database in a new directory of its own.
  static func temporaryPath() throws(StorageError) -> String {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/octet-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw error(.cannotOpen, "mkdtemp", base) }
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self) + "/octet.db"
  }

  private static func createFile(_ path: String) throws(StorageError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, fileMode)
    guard descriptor >= 0 else { throw error(.cannotOpen, "create", path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw error(.ioFailure, "fsync", path) }
    try syncDirectory(parent(of: path))
  }

  private static func createDirectory(_ path: String) throws(StorageError) {
    if access(path, F_OK) == 0 { return }
    try createDirectory(parent(of: path))
    guard mkdir(path, directoryMode) == 0 || errno == EEXIST else { throw error(.cannotOpen, "mkdir", path) }
    try syncDirectory(parent(of: path))
  }

  /// Makes the names in a directory durable.
  private static func syncDirectory(_ path: String) throws(StorageError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error(.cannotOpen, "open", path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw error(.ioFailure, "fsync", path) }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func error(_ code: StorageError.Code, _ operation: String, _ path: String) -> StorageError {
    let number = errno
    let fullCode = number == ENOSPC ? .diskFull : code
    return StorageError(fullCode, operation: operation, message: "\(path): \(String(cString: strerror(number)))")
  }
}
