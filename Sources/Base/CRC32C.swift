internal import CLinux

/// CRC-32C (Castagnoli): finds damage on the way, as iSCSI, ext4 and Google's storage interfaces use it. No protection
/// from those who mean to deceive.
public enum CRC32C {
  /// The checksum of some bytes, by the processor's instruction where it has one.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    guard hasInstruction else { return tableChecksum(bytes) }
    return bytes.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      return ~octet_crc32c(~0, start, buffer.count)
    }
  }

  /// The same with a table, a byte at a time.
  static func tableChecksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { checksum, byte in checksum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)] }
  }

  private static let hasInstruction = octet_has_crc32c() != 0

  /// The polynomial 0x1EDC6F41 with its bits in the other order.
  private static let polynomial: UInt32 = 0x82f6_3b78

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value >> 1 ^ (value & 1 == 0 ? 0 : polynomial) }
  }
}
