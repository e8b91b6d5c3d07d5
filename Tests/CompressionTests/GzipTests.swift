import Base
import ChildProcess
import Testing

@testable import Compression

struct GzipTests {
  private static let text = Array(String(repeating: "All work and no play makes Jack a dull boy.\n", count: 5000).utf8)

  private func gzip(_ bytes: [UInt8], headroom: Int = 0) throws -> [UInt8] {
    let compressed = Gzip.compress(bytes.span, headroom: headroom)
    return try #require(compressed)
  }

  private func gunzip(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
    try Gzip.decompress(bytes.span, limit: limit)
  }

  @Test(arguments: [100, 1000, 32_767, 32_768, 32_769, 200_000])
  func `what was compressed comes back`(_ size: Int) throws {
    let bytes = Array(Self.text.prefix(size))
    let compressed = try gzip(bytes)
    #expect(compressed.count < bytes.count)
    #expect(try gunzip(compressed, limit: size) == bytes)
  }

  @Test func `headroom stays in front`() throws {
    let compressed = try gzip(Self.text, headroom: 5)
    #expect(compressed.prefix(7) == [0, 0, 0, 0, 0, 0x1f, 0x8b])
    #expect(try gunzip(Array(compressed.dropFirst(5)), limit: 1 << 20) == Self.text)
  }

  @Test func `what does not shrink is not compressed`() {
    for bytes in [[], [1], SeededRandomSource(seed: 1).bytes(10_000)] {
      let compressed = Gzip.compress(bytes.span)
      #expect(compressed == nil)
    }
    // The state is clean afterwards.
    #expect(throws: Never.self) { try gzip(Self.text) }
  }

  @Test func `the gzip program reads what was compressed, and the other way round`() throws {
    let compressed = try gzip(Self.text)
    let octets = compressed.map { "\\x" + String($0, radix: 16, width: 2) }.joined()
    let result = try ChildProcess.run("bash", ["-c", "printf '\(octets)' | gzip -dc | cksum"])
    let expected = try ChildProcess.run(
      "bash", ["-c", "for i in $(seq 5000); do echo 'All work and no play makes Jack a dull boy.'; done | cksum"])
    #expect(result.output == expected.output)
    let theirs = try ChildProcess.run("bash", ["-c", "printf aaaaaaaaaabbbbbbbbbb | gzip -n | od -An -v -tx1"])
    let bytes = theirs.output.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
    #expect(try gunzip(bytes, limit: 20) == Array("aaaaaaaaaabbbbbbbbbb".utf8))
  }

  @Test func `the greatest limit is one`() throws {
    #expect(try gunzip(gzip(Self.text), limit: .max) == Self.text)
  }

  @Test func `several members are one result`() throws {
    let both = try gzip(Array(Self.text.prefix(500))) + gzip(Array(Self.text.dropFirst(500).prefix(700)))
    #expect(try gunzip(both, limit: 1200) == Array(Self.text.prefix(1200)))
    #expect(throws: GzipError.tooLarge(limit: 1199)) { try gunzip(both, limit: 1199) }
  }

  @Test func `every piece cut off its end, and every octet changed in its frame, is corrupt`() throws {
    let bytes = Array(Self.text.prefix(1000))
    let compressed = try gzip(bytes)
    for count in 0..<compressed.count {
      #expect(throws: GzipError.corrupt) { try gunzip(Array(compressed.prefix(count)), limit: 1000) }
    }
    for index in [0, 1, 2] + ((compressed.count - 8)..<(compressed.count - 4)) {
      var changed = compressed
      changed[index] ^= 0x55
      #expect(throws: GzipError.corrupt) { try gunzip(changed, limit: 1000) }
    }
    #expect(throws: GzipError.corrupt) { try gunzip((compressed + [1]), limit: 1000) }
    #expect(try gunzip(compressed, limit: 1000) == bytes)
  }

  @Test func `a bomb ends at the limit`() throws {
    let bomb = try gzip([UInt8](repeating: 0, count: 64 << 20))
    #expect(bomb.count < 400_000)
    #expect(throws: GzipError.tooLarge(limit: 1 << 20)) { try gunzip(bomb, limit: 1 << 20) }
    #expect(throws: GzipError.tooLarge(limit: 0)) { try gunzip(bomb, limit: 0) }
  }

  @Test func `the limit itself is allowed`() throws {
    let compressed = try gzip(Self.text)
    #expect(try gunzip(compressed, limit: Self.text.count) == Self.text)
    #expect(throws: GzipError.tooLarge(limit: Self.text.count - 1)) {
      try gunzip(compressed, limit: Self.text.count - 1)
    }
  }

  @Test func `results of any number of pieces are whole, up to the limit and not beyond`() throws {
    let piece = CompressionLimits.pieceBytes
    for count in [piece - 1, piece, 3 * piece + 1] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
      let compressed = try gzip(bytes)
      #expect(try gunzip(compressed, limit: count) == bytes)
      #expect(throws: GzipError.tooLarge(limit: count - 1)) { try gunzip(compressed, limit: count - 1) }
    }
  }

  @Test func `no octets whatsoever make it trap`() throws {
    let random = SeededRandomSource(seed: 7)
    let frame = Array(try gzip(Self.text).prefix(10))
    for size in 0..<2000 {
      for bytes in [random.bytes(size), frame + random.bytes(size)] {
        _ = try? gunzip(bytes, limit: 10_000)
      }
    }
  }

  @Test func `states are kept, and not without bound`() {
    final class State: PooledState {}
    let pool = StatePool<State>()
    func nest(_ depth: Int) {
      if depth > 0 { pool.with { _ in nest(depth - 1) } }
    }
    nest(3)
    #expect(pool.count == 3)
    nest(3)
    #expect(pool.count == 3)
    nest(CompressionLimits.retainedStates + 5)
    #expect(pool.count == CompressionLimits.retainedStates)
  }

  @Test func `many threads at once get their own results`() async throws {
    try await withThrowingTaskGroup { group in
      for index in 0..<UInt8(64) {
        group.addTask {
          let bytes = [UInt8](repeating: index, count: 10_000 + Int(index))
          for _ in 0..<20 {
            let compressed = try gzip(bytes)
            #expect(try gunzip(compressed, limit: 20_000) == bytes)
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
