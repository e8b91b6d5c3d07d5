internal import Base
internal import CLinux
internal import CPostgreSQL
internal import Storage

/// What a connection is opened with.
struct PostgreSQLParameters {
  private var keywords: [String] = []
  private var values: [String] = []

  /// - Parameters:
  ///   - url: as libpq reads it; what it says goes before what the options say.
  ///   - server: of which kind it must be, in libpq's words, whatever the URL says.
  init(_ url: String, _ options: PostgreSQLOptions, isPooled: Bool, server: String? = nil) {
    let timeout = options.connectionTimeout.inMilliseconds
    add("fallback_application_name", options.applicationName)
    add("connect_timeout", "\(max(2, (timeout + 999) / 1000))")
    add("keepalives_idle", "\(max(1, timeout / 1000))")
    add("keepalives_interval", "\(max(1, timeout / 3000))")
    add("keepalives_count", "3")
    add("tcp_user_timeout", "\(timeout)")
    // Among several hosts, and after a change of roles, only the primary will do.
    add("target_session_attrs", "read-write")
    add("dbname", url)
    if let server { add("target_session_attrs", server) }
    if !isPooled {
      // Of two `options` libpq takes the last, so those of the URL are said again; of two words on one setting the
      // server takes the last.
      let settings = Self.timeouts(options).map { "-c \($0.name)=\($0.milliseconds)" } + [Self.options(in: url)]
      add("options", settings.joined(separator: " "))
    }
    add("client_encoding", "UTF8")
  }

  /// The server's limits for a session or a transaction.
  static func timeouts(_ options: PostgreSQLOptions) -> [(name: String, milliseconds: Int64)] {
    [
      ("statement_timeout", options.statementTimeout.inMilliseconds),
      ("lock_timeout", options.lockTimeout.inMilliseconds),
      // A transaction whose client is gone must not hold its locks.
      ("idle_in_transaction_session_timeout", options.statementTimeout.inMilliseconds),
    ]
  }

  /// Refuses what libpq does not understand. Its own words are not repeated: they may show a password.
  static func check(_ url: String) throws(StorageError) {
    var message: UnsafeMutablePointer<CChar>?
    let options = PQconninfoParse(url, &message)
    defer {
      PQconninfoFree(options)
      PQfreemem(message)
    }
    if options == nil { throw StorageError(.cannotOpen, operation: "open", message: "the URL is not well formed") }
  }

  /// The URL's own `options`, which are the command line of a session; empty if it has none.
  private static func options(in url: String) -> String {
    let parameters = PQconninfoParse(url, nil)
    defer { PQconninfoFree(parameters) }
    var next = parameters
    while let parameter = next?.pointee, let keyword = parameter.keyword {
      if strcmp(keyword, "options") == 0 { return parameter.val.map { String(cString: $0) } ?? "" }
      next = next?.successor()
    }
    return ""
  }

  private mutating func add(_ keyword: String, _ value: String) {
    keywords.append(keyword)
    values.append(value)
  }

  /// Blocks until the connection stands or has failed.
  func connect() -> OpaquePointer? {
    withLists { PQconnectdbParams($0, $1, 1) }
  }

  /// Begins a connection that `PQconnectPoll` goes on with.
  func begin() -> OpaquePointer? {
    withLists { PQconnectStartParams($0, $1, 1) }
  }

  private func withLists(
    _ body: ([UnsafePointer<CChar>?], [UnsafePointer<CChar>?]) -> OpaquePointer?
  ) -> OpaquePointer? {
    // Owned here until libpq has read them.
    let copies = (keywords + values).map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    let pointers = copies.map { UnsafePointer<CChar>($0) }
    let names = Array(pointers[..<keywords.count]) + [nil]
    let contents = Array(pointers[keywords.count...]) + [nil]
    return body(names, contents)
  }
}
