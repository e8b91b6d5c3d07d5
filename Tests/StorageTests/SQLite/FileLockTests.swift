import Foundation
import Storage
import Testing

@testable import StorageSQLite

@Suite(.timeLimit(.minutes(60))) struct FileLockTests {
  /// As copies do, which fill a file that nobody else may fill, and then give it its name.
  @Test func `whoever has the lock of a file has the file of that name, also when others rename theirs`() async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-lock-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let (part, whole) = (directory.appending(path: "copy.part").path, directory.appending(path: "copy").path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var renamed = 0
          while renamed < 2000 {
            do {
              let lock = try FileLock(part, .exclusive, subject: "the copy")
              defer { lock.unlock() }
              #expect(rename(part, whole) == 0)
              renamed += 1
            } catch let error as StorageError where error.code == .inUse {
              await Task.yield()
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
