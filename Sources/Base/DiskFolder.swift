internal import CLinux

/// What is done to names in folders. All calls block.
public enum DiskFolder {
  /// Makes a folder of mode 0700, with those above it that are missing, and returns once their names are on disk.
  /// - Returns: whether it was not there before.
  @discardableResult
  public static func make(_ path: String) throws(FileError) -> Bool {
    if let isNew = try makeOne(path, mayMissParent: true) { return isNew }
    try make(parent(of: path))
    // Some file systems, such as /proc, call a parent missing that is there.
    return try makeOne(path, mayMissParent: false) ?? false
  }

  /// - Returns: whether it was not there before; nil if the folder above it is missing, and may be.
  private static func makeOne(_ path: String, mayMissParent: Bool) throws(FileError) -> Bool? {
    if mkdir(path, 0o700) == 0 {
      try synchronize(parent(of: path))
      return true
    }
    if lastError == EEXIST { return false }
    guard lastError == ENOENT, mayMissParent, parent(of: path) != path else { throw FileError("mkdir", lastError) }
    return nil
  }

  /// Makes the names in a folder durable.
  public static func synchronize(_ path: String) throws(FileError) {
    let handle = octet_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard handle >= 0 else { throw FileError("open", lastError) }
    defer { close(handle) }
    guard fsync(handle) == 0 else { throw FileError("fsync", lastError) }
  }

  /// Gives a file another name in the same file system, in place of the file that has it.
  public static func rename(_ path: String, to other: String) throws(FileError) {
    guard CLinux.rename(path, other) == 0 else { throw FileError("rename", lastError) }
  }

  /// Removes a file's name.
  /// - Returns: whether there was one.
  @discardableResult
  public static func remove(_ path: String) throws(FileError) -> Bool {
    if unlink(path) == 0 { return true }
    guard lastError == ENOENT else { throw FileError("unlink", lastError) }
    return false
  }

  /// The size of the file of this name in bytes, or nil if there is none.
  public static func size(_ path: String) throws(FileError) -> UInt64? {
    var status = stat()
    if lstat(path, &status) == 0 { return UInt64(status.st_size) }
    guard lastError == ENOENT else { throw FileError("lstat", lastError) }
    return nil
  }

  /// The names in a folder, sorted; none if there is no such folder.
  public static func names(_ path: String) throws(FileError) -> [String] {
    guard let folder = opendir(path) else {
      if lastError == ENOENT { return [] }
      throw FileError("opendir", lastError)
    }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
      __errno_location().pointee = 0
      guard let entry = readdir(folder) else { break }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    guard lastError == 0 else { throw FileError("readdir", lastError) }
    return names.sorted()
  }

  /// The folder that a path's last name is in.
  public static func parent(of path: String) -> String {
    guard let end = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return end == path.startIndex ? "/" : String(path[..<end])
  }
}
