import CSQLite

/// Another program that has the database file open, such as the `sqlite3` shell.
final class ForeignTool {
  struct Failure: Error {
    let code: Int32
  }

  private let handle: OpaquePointer?

  init(_ path: String) throws {
    var handle: OpaquePointer?
    let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil)
    self.handle = handle
    if code != SQLITE_OK { throw Failure(code: code) }
  }

  deinit {
    sqlite3_close(handle)
  }

  func run(_ sql: String) throws {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw Failure(code: code) }
  }
}
