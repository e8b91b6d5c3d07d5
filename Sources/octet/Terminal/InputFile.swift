import Base
import Dispatch
import Glibc

/// A file, or standard input, read in pieces. Reading blocks a thread of its own, never one of Swift's.
final class InputFile: Sendable {
  private let descriptor: Int32
  private let queue = DispatchQueue(label: "octet.input")
  private static let pieceSize = 64 << 10

  static let standard = InputFile(STDIN_FILENO)

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  /// - Throws: `LocalError` if the file cannot be opened.
  init(path: String) throws(LocalError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LocalError("\(path): \(String(cString: strerror(errno)))") }
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  /// The next piece; nil at the end.
  func next() async throws -> [UInt8]? {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [descriptor] in
        var count = -1
        let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, used in
          repeat { count = read(descriptor, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
          used = max(count, 0)
        }
        if count < 0 {
          continuation.resume(throwing: LocalError("reading the input: \(String(cString: strerror(errno)))"))
        } else {
          continuation.resume(returning: count == 0 ? nil : piece)
        }
      }
    }
  }

  /// What is in a small file: a key, a signature.
  static func small(path: String) throws(UsageError) -> [UInt8] {
    let longest = 64 << 10
    let bytes: [UInt8]
    do {
      bytes = try DiskFile(LocalPath.real(path), .read).read(at: 0, count: longest + 1)
    } catch {
      throw UsageError("\(path): \(error)")
    }
    guard bytes.count <= longest else { throw UsageError("\(path) is longer than \(longest) bytes") }
    return bytes
  }

  /// All that is left.
  func readAll() async throws -> [UInt8] {
    var all: [UInt8] = []
    while let piece = try await next() { all += piece }
    return all
  }
}

/// Something on this machine that went wrong: a file, the profile, the terminal. Exit code 74 (EX_IOERR).
struct LocalError: Error {
  let message: String

  init(_ message: String) { self.message = message }
}
