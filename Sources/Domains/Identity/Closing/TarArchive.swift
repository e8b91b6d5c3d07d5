import Base

/// The parts of a tar archive, as POSIX.1-2017 (pax, "ustar Interchange Format") has them.
enum TarArchive {
  private static let block = 512
  /// Sizes from 8 GiB on do not fit into the format's eleven octal digits; all tar programs read them as GNU's binary
  /// numbers.
  private static let octalLimit: UInt64 = 1 << 33

  /// What comes before a file.
  /// - Parameters:
  ///   - name: at most 100 bytes.
  ///   - time: when it was last changed.
  static func header(_ name: String, size: UInt64, at time: Instant) -> [UInt8] {
    precondition(name.utf8.count <= 100, "a file's name is too long for the archive")
    var header = [UInt8](repeating: 0, count: block)
    func put(_ bytes: some Collection<UInt8>, at offset: Int) {
      header.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    put(Array(name.utf8), at: 0)
    put(octal(0o600, digits: 7), at: 100)
    put(octal(0, digits: 7), at: 108)
    put(octal(0, digits: 7), at: 116)
    if size < octalLimit {
      put(octal(size, digits: 11), at: 124)
    } else {
      put([0x80, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * (7 - UInt64($0)))) }, at: 124)
    }
    put(octal(UInt64(max(0, time.milliseconds / 1000)), digits: 11), at: 136)
    // The checksum is made with blanks in its own place.
    put(Array(repeating: UInt8(ascii: " "), count: 8), at: 148)
    put([UInt8(ascii: "0")], at: 156)
    put(Array("ustar".utf8) + [0] + Array("00".utf8), at: 257)
    put(octal(header.reduce(0) { $0 + UInt64($1) }, digits: 6) + [0, UInt8(ascii: " ")], at: 148)
    return header
  }

  /// What fills the last block of a file.
  static func padding(after size: UInt64) -> [UInt8] {
    let rest = Int(size % UInt64(block))
    return rest == 0 ? [] : Array(repeating: 0, count: block - rest)
  }

  /// What comes after the last file.
  static let end = [UInt8](repeating: 0, count: 2 * block)

  private static func octal(_ number: UInt64, digits: Int) -> [UInt8] {
    let text = String(number, radix: 8)
    return Array((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8)
  }
}
