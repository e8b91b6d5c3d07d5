import Base
import Foundation
import Testing

@Suite struct DiskFolderTests {
  @Test func `makes a folder and those above it that are missing, once`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "octet-folder-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: root) }
    #expect(try DiskFolder.make(root + "/a/b/c"))
    #expect(try !DiskFolder.make(root + "/a/b/c"))
    #expect(try DiskFolder.names(root + "/a/b") == ["c"])
  }

  @Test(arguments: ["/proc/none", "/proc/none/below", "/dev/null/below"])
  func `says so where none can be made`(path: String) {
    #expect(throws: FileError.self) { try DiskFolder.make(path) }
  }
}
