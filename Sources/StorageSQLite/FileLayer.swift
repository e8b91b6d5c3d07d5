internal import CSQLite

/// What stands between SQLite and a file that a connection has open: methods of its own, which go on to those of the
/// operating system.
///
/// SQLite finds it through the first field of the file, and looks at the methods there: they come first of what it stores.
/// It goes away when SQLite closes the file.
protocol FileLayer {
  typealias File = UnsafeMutablePointer<sqlite3_file>

  var methods: sqlite3_io_methods { get }
  /// Those of the operating system.
  var real: UnsafePointer<sqlite3_io_methods> { get }
}

extension FileLayer {
  /// The layer of a file: SQLite calls its methods for the file alone that they were given to.
  static func of(_ file: File?) -> UnsafeMutablePointer<Self> {
    UnsafeMutableRawPointer(mutating: file!.pointee.pMethods).assumingMemoryBound(to: Self.self)
  }

  /// Takes the place of the methods of an open file.
  func put(before file: File) {
    let layer = UnsafeMutablePointer<Self>.allocate(capacity: 1)
    layer.initialize(to: self)
    file.pointee.pMethods = UnsafeRawPointer(layer).assumingMemoryBound(to: sqlite3_io_methods.self)
  }

  /// Gives the file its methods back and closes it.
  static func close(_ file: File?) -> Int32 {
    let layer = of(file)
    let real = layer.pointee.real
    layer.deinitialize(count: 1)
    layer.deallocate()
    // The file is the one whose layer this was.
    file!.pointee.pMethods = real
    return real.pointee.xClose(file)
  }

  /// A file of a connection, which must have it open, and its methods.
  /// - Parameter code: which one, as SQLite calls it (`SQLITE_FCNTL_…_POINTER`).
  static func openFile(
    _ code: Int32, of connection: OpaquePointer
  ) -> (file: File, methods: UnsafePointer<sqlite3_io_methods>) {
    var file: File?
    let result = sqlite3_file_control(connection, nil, code, &file)
    guard result == SQLITE_OK, let file, let methods = file.pointee.pMethods else {
      preconditionFailure("the connection has no such file open")
    }
    return (file, methods)
  }
}
