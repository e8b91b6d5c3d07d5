import Glibc

/// The standard streams.
enum Output {
  /// Writes to standard output. If nobody reads it any more (`octet … | head`), the program ends as it would by
  /// SIGPIPE, which is ignored because sockets raise it as well.
  static func write(_ bytes: [UInt8]) {
    if writeAll(bytes, to: STDOUT_FILENO) { return }
    let code = errno
    if code == EPIPE { exit(128 + SIGPIPE) }
    note("octet: standard output: \(String(cString: strerror(code)))")
    exit(ErrorReport.localExitCode)
  }

  static func print(_ text: String) { write(Array((text + "\n").utf8)) }

  /// Writes a line to standard error.
  static func note(_ text: String) { _ = writeAll(Array((text + "\n").utf8), to: STDERR_FILENO) }

  /// Writes to standard error without a line's end.
  static func ask(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}
