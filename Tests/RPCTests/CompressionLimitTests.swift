import Compression
import Testing

@testable import RPC

/// What a compressed message may grow to.
@Suite struct CompressionLimitTests {
  private func grow(_ size: Int, limit: Int = 64 << 20) throws -> Int {
    let zeros = [UInt8](repeating: 0, count: size)
    let made = Gzip.compress(zeros.span)
    let compressed = try #require(made)
    return try MessageCompression.decompress(compressed[...], .gzip, limit: limit).count
  }

  @Test func `a message that shrank very much grows to freeInflation, and not to many times that`() throws {
    #expect(try grow(RPCLimits.freeInflation) == RPCLimits.freeInflation)
    #expect(throws: FramingError.self) { try grow(4 << 20) }
    #expect(throws: FramingError.self) { try grow(1 << 20, limit: 1 << 19) }
  }

  @Test func `one that shrank to a fiftieth grows as far as it went`() throws {
    // Of each 256 octets four differ: gzip needs about six for them.
    var octets = [UInt8](repeating: 0, count: 4 << 20)
    var state: UInt32 = 1
    for index in stride(from: 0, to: octets.count, by: 256) {
      for offset in 0..<4 {
        state = state &* 1_664_525 &+ 1_013_904_223
        octets[index + offset] = UInt8(truncatingIfNeeded: state >> 24)
      }
    }
    let made = Gzip.compress(octets.span)
    let compressed = try #require(made)
    #expect(compressed.count * RPCLimits.inflationFactor > octets.count)
    #expect(try MessageCompression.decompress(compressed[...], .gzip, limit: 8 << 20).count == octets.count)
  }
}
