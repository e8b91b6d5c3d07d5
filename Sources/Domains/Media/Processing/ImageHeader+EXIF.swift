extension ImageHeader {
  /// Bytes of an EXIF that are looked at: the first directory comes first.
  private static let longestEXIF = 64 << 10
  /// A picture has less than a dozen chunks before that of its EXIF; an animation has one for each frame.
  private static let chunksTried = 64

  /// The orientation that a PNG's or a WebP's EXIF says; a WebP has it behind its pixels. Nil for none.
  /// - Parameter read: gives a range of the file, and less of it where the file ends.
  static func chunkedOrientation(
    _ format: Format, _ read: (Range<UInt64>) async throws -> [UInt8]
  ) async throws -> Int? {
    guard format == .png || format == .webp else { return nil }
    let isPNG = format == .png
    var place: UInt64 = isPNG ? 8 : 12
    for _ in 0..<chunksTried {
      let head = Octets(try await read(place..<(place + 8)))
      guard let length = isPNG ? head.big(4, at: 0) : head.little(4, at: 4) else { return nil }
      if head.has(isPNG ? "eXIf" : "EXIF", at: isPNG ? 4 : 0) {
        return orientation(inEXIF: try await read((place + 8)..<(place + 8 + UInt64(min(length, longestEXIF)))))
      }
      // What follows the pixels of a PNG comes too late for those who show it while it comes.
      if isPNG, head.has("IDAT", at: 4) { return nil }
      place += 8 + UInt64(length) + (isPNG ? 4 : UInt64(length & 1))
    }
    return nil
  }

  /// The orientation in the EXIF of a PNG or a WebP, which some programs begin as it begins in a JPEG; nil if it says none.
  private static func orientation(inEXIF bytes: [UInt8]) -> Int? {
    let octets = Octets(bytes)
    return exifOrientation(octets, at: octets.has("Exif\0\0", at: 0) ? 6 : 0)
  }
}
