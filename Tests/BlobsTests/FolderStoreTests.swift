import Base
import Blobs
import ChildProcess
import Cryptography
import Foundation
import Testing

@Suite struct FolderStoreTests {
  private func withFolder(
    limits: BlobLimits = BlobLimits(), _ body: (FolderBlobStore, String) async throws -> Void
  ) async throws {
    let folder = TemporaryFolder()
    defer { folder.remove() }
    let store = try await FolderBlobStore.open(path: folder.path, limits: limits)
    do {
      try await body(store, folder.path)
    } catch {
      await store.close()
      throw error
    }
    await store.close()
  }

  @Test func `the file of a blob has the content's hash as its name, and is its owner's`() async throws {
    try await withFolder { store, path in
      let key = try await store.put(Array("abc".utf8))
      let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      #expect(key.blob.text == hash)
      let file = "\(path)/blobs/ba/\(hash).\(key.upload.text)"
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(FileManager.default.contents(atPath: file) == Data("abc".utf8))
    }
  }

  @Test func `a reader outlives the deletion of its blob`() async throws {
    try await withFolder { store, _ in
      let key = try await store.put([1, 2, 3])
      let content = try await store.read(key, range: 0..<3)
      try await store.delete(key)
      #expect(try await content.bytes(limit: 3) == [1, 2, 3])
    }
  }

  @Test func `an upload that another process has open is busy until that lets go`() async throws {
    try await withFolder { store, path in
      let other = try await FolderBlobStore.open(path: path)
      let upload = try await store.upload(.new())
      #expect(await blobError { try await other.upload(upload.id) } == .busy)
      await upload.close()
      try await other.upload(upload.id).append([1])
      await other.close()
    }
  }

  @Test func `an upload that everybody has forgotten lets go of its files`() async throws {
    var limits = BlobLimits()
    limits.openFiles = 2
    try await withFolder(limits: limits) { store, _ in
      for number in UInt8(0)..<5 {
        // A thread of the store may hold the upload before for a moment longer than its user.
        let deadline = ContinuousClock.now + .seconds(600)
        while true {
          do {
            try await store.upload(.new()).append([number])
            break
          } catch let error as BlobError where error.code == .overloaded && ContinuousClock.now < deadline {
            await Task.yield()
          }
        }
      }
    }
  }

  @Test func `more open files than allowed are refused`() async throws {
    var limits = BlobLimits()
    limits.openFiles = 3
    try await withFolder(limits: limits) { store, _ in
      let key = try await store.put([1])
      let upload = try await store.upload(.new())
      let reader = try await store.read(key, range: 0..<1)
      #expect(await blobError { try await store.upload(.new()) } == .overloaded)
      #expect(await blobError { try await store.read(key, range: 0..<1) } == .overloaded)
      await upload.close()
      #expect(try await store.bytes(key, 0..<1) == [1])
      #expect(reader.count == 1)
    }
  }

  @Test(arguments: [0, 512, 600])
  func `a torn checkpoint leaves the one before`(damagedAt offset: Int) async throws {
    try await withFolder { store, path in
      let upload = try await store.upload(.new())
      for byte in [UInt8(1), 2] {
        try await upload.append([byte])
        _ = try await upload.checkpoint()
      }
      await upload.close()
      let file = try #require(FileHandle(forUpdatingAtPath: "\(path)/uploads/\(upload.id.text).state"))
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: Data([0xff]))
      try file.close()
      // The second checkpoint is in the first slot.
      let again = try await store.upload(upload.id)
      #expect(again.offset == (offset < 512 ? 1 : 2))
      #expect(try await again.contentID().bytes == Hash.sha256(offset < 512 ? [1] : [1, 2]))
    }
  }

  @Test func `a file that is shorter than its checkpoint is an error`() async throws {
    try await withFolder { store, path in
      let upload = try await store.upload(.new())
      try await upload.append([1, 2, 3])
      _ = try await upload.checkpoint()
      await upload.close()
      try Data([1]).write(to: URL(filePath: "\(path)/uploads/\(upload.id.text)"))
      #expect(await blobError { try await store.upload(upload.id) } == .ioFailure)
    }
  }

  @Test func `foreign files in the folder are left alone`() async throws {
    try await withFolder { store, path in
      for name in ["uploads/x", "uploads/..state", "blobs/00/README", "blobs/00/.."] where !name.hasSuffix("..") {
        try Data().write(to: URL(filePath: "\(path)/\(name)"))
      }
      #expect(try await store.entries().isEmpty)
    }
  }

  @Test(arguments: [
    "", "..", "../../../etc/passwd", String(repeating: "A", count: 64), String(repeating: "0", count: 63),
  ])
  func `a text that is no hash is no id`(_ text: String) {
    #expect(BlobID(text) == nil)
    #expect(UploadID(text) == nil)
    #expect(BlobKey(text + "." + text) == nil)
  }

  /// Whether a file system of a few pages can be mounted here.
  private static let canMount =
    (try? ChildProcess.run("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status) == 0

  @Test(.enabled(if: canMount)) func `a full disk is a clear error, and nothing stays of what did not fit`() throws {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "storage-bench")
    let result = try ChildProcess.run(
      "unshare",
      [
        "-rm", "sh", "-c", "mount -t tmpfs -o size=2m none /mnt && exec \"$0\" blob-full --path /mnt/blobs",
        program.path,
      ])
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 3, "\(result.errors)")
    #expect(lines.first?.hasPrefix("full at ") == true && lines.dropFirst() == ["again 65536", "left 1"])
  }
}
