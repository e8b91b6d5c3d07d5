import Glibc

/// A pipe whose writing end is given to a log.
final class LinePipe {
  private let ends: (read: Int32, write: Int32)
  private var isRead = true

  init() {
    var pair: [Int32] = [0, 0]
    precondition(pipe(&pair) == 0, "no pipe")
    ends = (pair[0], pair[1])
  }

  deinit {
    stopReading()
  }

  /// Closes the reading end: who writes then fails.
  func stopReading() {
    if isRead { close(ends.read) }
    isRead = false
  }

  var descriptor: Int32 { ends.write }

  /// Closes the writing end and reads all that was written.
  func lines() -> [String] {
    close(ends.write)
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(ends.read, &chunk, chunk.count)
      guard count > 0 else { break }
      text += chunk.prefix(count)
    }
    return String(decoding: text, as: UTF8.self).split(separator: "\n").map { String($0) }
  }
}
