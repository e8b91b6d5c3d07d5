import Testing

@testable import Base

@Suite struct CRC32CTests {
  /// RFC 3720, appendix B.4, and the check value of the catalogues of checksums.
  @Test(
    arguments: [
      ([], 0),
      (Array("123456789".utf8), 0xe306_9283),
      ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
      ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
      ((0..<32).map { UInt8($0) }, 0x46dd_794e),
      ((0..<32).reversed().map { UInt8($0) }, 0x113f_db5c),
    ] as [([UInt8], UInt32)])
  func `known values`(bytes: [UInt8], expected: UInt32) {
    #expect(CRC32C.checksum(bytes) == expected)
    #expect(CRC32C.tableChecksum(bytes) == expected)
  }

  @Test func `the instruction and the table agree at every length and change`() {
    let random = SeededRandomSource(seed: 32)
    for length in [1, 7, 8, 9, 15, 16, 17, 1000, 65_537] {
      var bytes = random.bytes(length)
      let checksum = CRC32C.checksum(bytes)
      #expect(checksum == CRC32C.tableChecksum(bytes), "length \(length)")
      bytes[length / 2] ^= 1
      #expect(CRC32C.checksum(bytes) != checksum)
    }
  }
}
