import Base
import Blobs
import Cryptography

/// How fast a folder store takes and gives a large blob, beside the same writes and reads without a store.
struct BlobBenchmark {
  let path: String
  let megabytes: Int

  private static let chunk = 256 << 10

  func run() async throws {
    let bytes = SeededRandomSource(seed: 1).bytes(Self.chunk)
    let chunks = megabytes << 20 / Self.chunk
    let store = try await FolderBlobStore.open(path: path)
    let plain = try await OSThread.run(name: "plain") { [path] in try Self.plain(path + "/plain", bytes, chunks) }
    let id = UploadID(at: SystemClock().now(), random: SystemRandomSource())
    let upload = try await store.upload(id)
    var start = ContinuousClock().now
    for _ in 0..<chunks { try await upload.append(bytes) }
    let key = BlobKey(blob: try await upload.contentID(), upload: id)
    try await upload.place(key)
    let write = ContinuousClock().now - start
    start = ContinuousClock().now
    for try await _ in try await store.read(key, range: 0..<(UInt64(megabytes) << 20)) {}
    let read = ContinuousClock().now - start
    try await store.delete(key)
    var sha = SHA256()
    let hash = ContinuousClock().measure { for _ in 0..<chunks { sha.update(bytes) } }
    await store.close()
    print("\(megabytes) MiB in chunks of \(Self.chunk >> 10) KiB")
    report("plain write and fdatasync", plain.write)
    report("store: append, place", write)
    report("plain read", plain.read)
    report("store: read", read)
    report("SHA-256 alone", hash)
  }

  private static func plain(_ path: String, _ bytes: [UInt8], _ chunks: Int) throws -> (write: Duration, read: Duration)
  {
    let clock = ContinuousClock()
    let file = try DiskFile(path, .readWrite)
    let write = try clock.measure {
      for number in 0..<chunks { try file.write(bytes, at: UInt64(number * bytes.count)) }
      try file.synchronize()
    }
    let read = try clock.measure {
      for number in 0..<chunks { _ = try file.read(at: UInt64(number * bytes.count), count: bytes.count) }
    }
    try DiskFolder.remove(path)
    return (write, read)
  }

  private func report(_ what: String, _ time: Duration) {
    let rate = Double(megabytes << 20) / 1e6 / (Double(time.inNanoseconds) / 1e9)
    print("  \(what): \(Int(rate)) MB/s")
  }
}
