internal import Base
internal import Glibc
internal import Storage

/// The files around a database: created so that a crash cannot lose their names, and locked against other processes.
struct SQLiteFiles {
  /// Owner only: databases hold personal data.
  private static let directoryMode: mode_t = 0o700
  static let fileMode: mode_t = 0o600

  /// Whether the last process to use the database did not close it.
  let wasLeftOpen: Bool

  private let path: String

  /// One process at a time has the database open.
  private let lock: FileLock

  /// Creates what is missing at `path` and locks it.
  init(path: String) throws(StorageError) {
    self.path = path
    try Self.createDirectory(Self.parent(of: path))
    lock = try Self.lockForUse(path)
    if access(path, F_OK) != 0 { try Self.createFile(path) }
    // SQLite removes the log when the last connection closes.
    wasLeftOpen = Self.size(path + "-wal") > 0
  }

  /// Lets go of the lock.
  func unlock() {
    lock.unlock()
  }

  /// The lock of a process that uses the database for itself.
  static func lockForUse(_ path: String) throws(StorageError) -> FileLock {
    try FileLock(path + ".lock", .exclusive, subject: path)
  }

  /// The lock of those that read the database beside its user, and (exclusive) of who replaces its file.
  static func lockForReading(_ path: String, _ kind: FileLock.Kind) throws(StorageError) -> FileLock {
    try FileLock(path + ".reading", kind, subject: path)
  }

  /// The size of a file in bytes, 0 if there is none.
  static func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Deletes the database and its directory, which must hold nothing else. For temporary ones.
  func remove() {
    for suffix in ["", "-wal", "-shm", ".lock", ".reading"] { unlink(path + suffix) }
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

  static func createDirectory(_ path: String) throws(StorageError) {
    if access(path, F_OK) == 0 { return }
    try createDirectory(parent(of: path))
    guard mkdir(path, directoryMode) == 0 || errno == EEXIST else { throw error(.cannotOpen, "mkdir", path) }
    try syncDirectory(parent(of: path))
  }

  /// Makes the names in a directory durable.
  static func syncDirectory(_ path: String) throws(StorageError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error(.cannotOpen, "open", path) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw error(.ioFailure, "fsync", path) }
  }

  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func error(_ code: StorageError.Code, _ operation: String, _ path: String) -> StorageError {
    let number = errno
    let fullCode = number == ENOSPC ? .diskFull : code
    return StorageError(fullCode, operation: operation, message: "\(path): \(String(cString: strerror(number)))")
  }
}
