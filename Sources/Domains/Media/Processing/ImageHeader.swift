/// What the head of a picture says of itself, found without decoding any of it.
struct ImageHeader: Sendable, Equatable {
  enum Format: Sendable, Equatable {
    case png
    case jpeg
    case gif
    case webp

    var contentType: String {
      switch self {
      case .png: "image/png"
      case .jpeg: "image/jpeg"
      case .gif: "image/gif"
      case .webp: "image/webp"
      }
    }

    /// What ffmpeg calls what reads it.
    var demuxer: String {
      switch self {
      case .png: "png_pipe"
      case .jpeg: "jpeg_pipe"
      case .gif: "gif"
      case .webp: "webp_pipe"
      }
    }
  }

  let format: Format
  /// In pixels as they are stored: at most 32 bits each, so that their product does not overflow.
  let width: Int
  let height: Int
  /// How it is to be turned, as EXIF numbers it: 1 is as it is, from 5 on width and height change places.
  var orientation = 1

  /// As shown.
  var shown: (width: Int, height: Int) { orientation >= 5 ? (height, width) : (width, height) }

  /// Of a JPEG with previews and colour profiles the size may come late.
  static let longestHead = 1 << 20

  /// - Parameter bytes: the first ones of the file, `longestHead` if it has so many.
  /// - Returns: nil for what is none of the formats, or has no size.
  init?(_ bytes: [UInt8]) {
    let octets = Octets(bytes)
    guard
      let header = Self.png(octets) ?? Self.gif(octets) ?? Self.webp(octets) ?? Self.jpeg(octets), header.width > 0,
      header.height > 0
    else { return nil }
    self = header
  }

  private init?(_ format: Format, _ width: Int?, _ height: Int?, orientation: Int = 1) {
    guard let width, let height else { return nil }
    (self.format, self.width, self.height, self.orientation) = (format, width, height, orientation)
  }

  private static func png(_ octets: Octets) -> ImageHeader? {
    guard octets.has([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], at: 0), octets.has("IHDR", at: 12) else {
      return nil
    }
    return ImageHeader(.png, octets.big(4, at: 16), octets.big(4, at: 20))
  }

  private static func gif(_ octets: Octets) -> ImageHeader? {
    guard octets.has("GIF87a", at: 0) || octets.has("GIF89a", at: 0) else { return nil }
    return ImageHeader(.gif, octets.little(2, at: 6), octets.little(2, at: 8))
  }

  private static func webp(_ octets: Octets) -> ImageHeader? {
    guard octets.has("RIFF", at: 0), octets.has("WEBP", at: 8) else { return nil }
    if octets.has("VP8X", at: 12) {
      return ImageHeader(.webp, octets.little(3, at: 24).map { $0 + 1 }, octets.little(3, at: 27).map { $0 + 1 })
    }
    if octets.has("VP8L", at: 12), let bits = octets.little(4, at: 21) {
      return ImageHeader(.webp, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
    }
    if octets.has("VP8 ", at: 12) {
      return ImageHeader(
        .webp, octets.little(2, at: 26).map { $0 & 0x3fff }, octets.little(2, at: 28).map { $0 & 0x3fff })
    }
    return nil
  }

  /// Walks over the segments to the frame header, which has the size; the EXIF segment comes before it.
  private static func jpeg(_ octets: Octets) -> ImageHeader? {
    guard octets.has([0xff, 0xd8, 0xff], at: 0) else { return nil }
    var orientation = 1
    var place = 2
    while octets.big(1, at: place) == 0xff, let marker = octets.big(1, at: place + 1) {
      // A marker may be preceded by any number of these.
      if marker == 0xff {
        place += 1
        continue
      }
      guard let length = octets.big(2, at: place + 2), length >= 2 else { return nil }
      switch marker {
      case 0xc0...0xcf where ![0xc4, 0xc8, 0xcc].contains(marker):
        return ImageHeader(
          .jpeg, octets.big(2, at: place + 7), octets.big(2, at: place + 5), orientation: orientation)
      case 0xe1 where octets.has("Exif\0\0", at: place + 4):
        orientation = exifOrientation(octets, at: place + 10) ?? orientation
      case 0xd9, 0xda: return nil
      default: break
      }
      place += 2 + length
    }
    return nil
  }

  /// Tag 0x0112 of the first directory of a TIFF.
  static func exifOrientation(_ octets: Octets, at start: Int) -> Int? {
    let isLittle = octets.has("II", at: start)
    guard isLittle || octets.has("MM", at: start) else { return nil }
    func number(_ count: Int, _ place: Int) -> Int? {
      isLittle ? octets.little(count, at: start + place) : octets.big(count, at: start + place)
    }
    guard let directory = number(4, 4), let count = number(2, directory) else { return nil }
    for index in 0..<min(count, 200) {
      let entry = directory + 2 + 12 * index
      guard let tag = number(2, entry) else { return nil }
      if tag == 0x0112 { return number(2, entry + 8).flatMap { (1...8).contains($0) ? $0 : nil } }
    }
    return nil
  }
}

/// Bytes that are read at places that other bytes say: nothing outside is touched.
struct Octets {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func slice(_ count: Int, _ place: Int) -> ArraySlice<UInt8>? {
    guard place >= 0, count <= bytes.count, place <= bytes.count - count else { return nil }
    return bytes[place..<(place + count)]
  }

  func big(_ count: Int, at place: Int) -> Int? { slice(count, place)?.reduce(0) { $0 << 8 | Int($1) } }

  func little(_ count: Int, at place: Int) -> Int? { slice(count, place)?.reversed().reduce(0) { $0 << 8 | Int($1) } }

  func has(_ wanted: [UInt8], at place: Int) -> Bool {
    slice(wanted.count, place).map { $0.elementsEqual(wanted) } ?? false
  }

  func has(_ text: String, at place: Int) -> Bool { has(Array(text.utf8), at: place) }
}
