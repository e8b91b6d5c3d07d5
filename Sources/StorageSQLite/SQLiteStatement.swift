internal import CSQLite
internal import Glibc
internal import Storage

/// A prepared statement and the connection it belongs to. Confined to the connection's thread.
final class SQLiteStatement {
  let sql: String
  private let handle: OpaquePointer
  private let connection: OpaquePointer
  private let parameterCount: Int
  private(set) var isRunning = false
  private var mismatch: StorageError?
  /// Where the bytes of bound texts and blobs stay while the statement runs, so that SQLite need not copy them.
  private var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// The scratch memory that a statement keeps between runs.
  private static let keptScratch = 16 << 10
  /// None of SQLite's codes.
  private static let holdsNUL: Int32 = -1

  /// - Parameter sql: with `$n` parameters.
  init(_ sql: String, connection: OpaquePointer, isLasting: Bool) throws(StorageError) {
    var handle: OpaquePointer?
    let flags = isLasting ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
    let result = sqlite3_prepare_v3(connection, SQLText.withNumberedParameters(sql), -1, flags, &handle, nil)
    guard result == SQLITE_OK else {
      throw SQLiteError.make(result, operation: "prepare", connection: connection, sql: sql)
    }
    guard let handle else {
      throw StorageError(.invalidStatement, operation: "prepare", message: "an empty statement", sql: sql)
    }
    self.sql = sql
    self.handle = handle
    self.connection = connection
    parameterCount = Int(sqlite3_bind_parameter_count(handle))
  }

  deinit {
    sqlite3_finalize(handle)
    scratch.deallocate()
  }

  /// Binds the arguments and calls `row` for each row until it returns false or there is no more.
  func run(_ arguments: [SQLValue], row: (SQLiteStatement) throws -> Bool) throws {
    precondition(!isRunning, "a prepared statement runs once at a time")
    isRunning = true
    defer {
      // The result repeats the error of the last step, which has been thrown. What is bound stays, and is not looked at
      // until each parameter has been bound anew.
      sqlite3_reset(handle)
      isRunning = false
    }
    try bind(arguments)
    while true {
      let result = sqlite3_step(handle)
      switch result {
      case SQLITE_DONE: return
      case SQLITE_ROW:
        let goesOn = try row(self)
        if let mismatch {
          self.mismatch = nil
          throw mismatch
        }
        if !goesOn { return }
      default: throw SQLiteError.make(result, operation: "step", connection: connection, sql: sql)
      }
    }
  }

  private func bind(_ arguments: [SQLValue]) throws(StorageError) {
    guard arguments.count == parameterCount else {
      throw StorageError(
        .invalidStatement, operation: "bind",
        message: "\(arguments.count) arguments for \(parameterCount) parameters", sql: sql)
    }
    var free = makeScratch(for: arguments)
    for (offset, argument) in arguments.enumerated() {
      let index = Int32(offset + 1)
      let result =
        switch argument {
        case .null: sqlite3_bind_null(handle, index)
        case .integer(let value): sqlite3_bind_int64(handle, index, value)
        case .double(let value): sqlite3_bind_double(handle, index, value)
        case .text(var value):
          value.withUTF8 { utf8 in
            let text = store(UnsafeRawBufferPointer(utf8), &free)
            // SQLite would keep it, and cut it in functions; PostgreSQL cannot.
            if memchr(text, 0, utf8.count) != nil { return Self.holdsNUL }
            // No destructor is SQLITE_STATIC: the bytes outlive the run.
            return sqlite3_bind_text64(
              handle, index, text.assumingMemoryBound(to: CChar.self), UInt64(utf8.count), nil, UInt8(SQLITE_UTF8))
          }
        case .blob(let value):
          value.withUnsafeBytes { sqlite3_bind_blob64(handle, index, store($0, &free), UInt64($0.count), nil) }
        }
      if result == Self.holdsNUL {
        throw StorageError(.invalidText, operation: "bind", message: "a text holds the character U+0000", sql: sql)
      }
      if result != SQLITE_OK {
        throw SQLiteError.make(result, operation: "bind", connection: connection, sql: sql)
      }
    }
  }

  /// Makes room for the bytes of all arguments.
  /// - Returns: the start of the room; never null, which SQLite would take for NULL.
  private func makeScratch(for arguments: [SQLValue]) -> UnsafeMutableRawPointer {
    var needed = 1
    for argument in arguments {
      switch argument {
      case .text(let text): needed += text.utf8.count
      case .blob(let bytes): needed += bytes.count
      default: break
      }
    }
    if scratch.count < needed || scratch.count > max(needed, Self.keptScratch) {
      scratch.deallocate()
      scratch = .allocate(byteCount: needed, alignment: 1)
    }
    // It has at least one byte.
    return scratch.baseAddress!
  }

  /// Copies bytes to the free part of the scratch memory and moves its start behind them.
  private func store(
    _ bytes: UnsafeRawBufferPointer, _ free: inout UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    let start = free
    if let source = bytes.baseAddress { start.copyMemory(from: source, byteCount: bytes.count) }
    free += bytes.count
    return start
  }
}

/// The statement itself shows its present row.
extension SQLiteStatement: Row {
  func isNull(_ column: Int) -> Bool {
    type(of: column) == SQLITE_NULL
  }

  func integer(_ column: Int) -> Int64 {
    expect(SQLITE_INTEGER, column) ? sqlite3_column_int64(handle, Int32(column)) : 0
  }

  func double(_ column: Int) -> Double {
    // An aggregate over no REAL value, such as total(), may come as an integer.
    if type(of: column) == SQLITE_INTEGER { return Double(sqlite3_column_int64(handle, Int32(column))) }
    return expect(SQLITE_FLOAT, column) ? sqlite3_column_double(handle, Int32(column)) : 0
  }

  func text(_ column: Int) -> String {
    guard expect(SQLITE_TEXT, column), let bytes = sqlite3_column_text(handle, Int32(column)) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, Int32(column)))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  func blob(_ column: Int) -> [UInt8] {
    guard expect(SQLITE_BLOB, column), let bytes = sqlite3_column_blob(handle, Int32(column)) else { return [] }
    return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, Int32(column)))))
  }

  private func type(of column: Int) -> Int32 {
    sqlite3_column_type(handle, Int32(column))
  }

  private func expect(_ type: Int32, _ column: Int) -> Bool {
    let found = self.type(of: column)
    if found == type { return true }
    mismatch = StorageError(
      .typeMismatch, operation: "column",
      message: "column \(column) of \(sqlite3_column_count(handle)) has type \(found), read as \(type)", sql: sql)
    return false
  }
}
