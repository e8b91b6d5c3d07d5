import Dispatch
import Glibc

/// A small file that is readable by its owner only.
struct StoredText {
  let folder: String
  private let path: String

  init(folder: String, name: String) {
    self.folder = folder
    path = folder + "/" + name
  }

  /// What is in it; nil if there is none.
  func load() async throws -> String? {
    guard access(path, F_OK) == 0 else { return nil }
    return String(decoding: try await InputFile(path: path).readAll(), as: UTF8.self)
  }

  /// Puts a text in place of the one before, all of it or nothing.
  func save(_ text: String) throws(LocalError) {
    try makeFolder()
    let draft = path + ".\(getpid())"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode_t(0o600))
    guard descriptor >= 0 else { throw failure("writing", draft) }
    let bytes = Array(text.utf8)
    let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    let isWritten = written == bytes.count && fsync(descriptor) == 0
    close(descriptor)
    guard isWritten, rename(draft, path) == 0 else {
      let error = failure("writing", path)
      unlink(draft)
      throw error
    }
  }

  func remove() throws(LocalError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw failure("removing", path) }
  }

  /// A lock beside the file that no one holds yet.
  func openLock() throws(LocalError) -> FileLock {
    try makeFolder()
    let path = path + ".lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode_t(0o600))
    guard descriptor >= 0 else { throw failure("opening", path) }
    return FileLock(descriptor)
  }

  private func makeFolder() throws(LocalError) {
    for end in folder.indices.dropFirst() + [folder.endIndex] where end == folder.endIndex || folder[end] == "/" {
      let part = String(folder[..<end])
      guard mkdir(part, mode_t(0o700)) == 0 || errno == EEXIST else { throw failure("making", part) }
    }
  }

  private func failure(_ what: String, _ path: String) -> LocalError {
    LocalError("\(what) \(path): \(String(cString: strerror(errno)))")
  }
}

/// A lock between processes, on an open file.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes over the descriptor.
  init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    // Closing the file releases the lock.
    close(descriptor)
  }

  /// Waits for the lock, on a thread that may block.
  func acquire() async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { [descriptor] in
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        continuation.resume()
      }
    }
  }
}
