import Base
import Dispatch
import Glibc

/// Paths as people give them.
enum LocalPath {
  /// The file that a path leads to through symbolic links; the path itself if there is none.
  static func real(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether what a server calls a thing may be a part of a file's name.
  static func isPlain(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= 64 && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }

  /// The last part of a path.
  static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// A file of the user's. What blocks does so on a thread of its own.
struct LocalFile: Sendable {
  private let file: DiskFile
  private let path: String
  private static let queue = DispatchQueue(label: "octet.files")

  init(_ path: String, _ mode: DiskFile.Mode) throws(LocalError) {
    self.path = path
    do {
      file = try DiskFile(mode == .read ? LocalPath.real(path) : path, mode)
    } catch {
      throw LocalError("\(path): \(error)")
    }
  }

  func size() async throws -> Int64 { try await run { Int64(try $0.size()) } }

  func read(at offset: Int64, count: Int) async throws -> [UInt8] {
    try await run { try $0.read(at: UInt64(offset), count: count) }
  }

  func write(_ bytes: [UInt8], at offset: Int64) async throws {
    try await run { try $0.write(bytes, at: UInt64(offset)) }
  }

  func truncate(to size: Int64) async throws { try await run { try $0.truncate(to: UInt64(size)) } }

  func synchronize() async throws { try await run { try $0.synchronize() } }

  /// Whether no other run has the file; it is this one's until it ends.
  func lock() async throws -> Bool { try await run { try $0.lock() } }

  private func run<Result: Sendable>(_ body: @escaping @Sendable (DiskFile) throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      Self.queue.async { [file, path] in
        do {
          continuation.resume(returning: try body(file))
        } catch {
          continuation.resume(throwing: LocalError("\(path): \(error)"))
        }
      }
    }
  }
}
