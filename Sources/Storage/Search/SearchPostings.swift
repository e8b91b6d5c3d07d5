/// How lists are laid out in a segment: in parts that are small enough for a page.
///
/// A posting is the distance to the one before (7 bits an octet, the lowest first) and its impact in two octets. Each
/// part begins anew, so that it can be read alone. A list of all documents with one impact is that impact.
enum SearchPostings {
  /// Octets of a part: PostgreSQL keeps a row of up to 2,000 octets in its page, and SQLite two of these in one.
  static let partBytes = 1900

  /// Makes the parts of a list.
  struct Builder {
    private(set) var count = 0
    private var parts: [[UInt8]] = []
    private var part: [UInt8] = []
    private var next = 0
    private var impact: UInt16 = 0
    private var isUniform = true

    /// - Parameter ordinal: above the one before.
    mutating func append(_ ordinal: Int, _ impact: UInt16) {
      if part.count > SearchPostings.partBytes - 12 {
        parts.append(part)
        part = []
        next = 0
      }
      if count == 0 { self.impact = impact } else if impact != self.impact { isUniform = false }
      SearchPostings.append(UInt64(ordinal - next), to: &part)
      part.append(UInt8(impact >> 8))
      part.append(UInt8(truncatingIfNeeded: impact))
      next = ordinal + 1
      count += 1
    }

    /// - Parameter documents: how many the segment has.
    func finished(documents: Int) -> [[UInt8]] {
      if count == documents, isUniform { return [[UInt8(impact >> 8), UInt8(truncatingIfNeeded: impact)]] }
      return parts + [part]
    }
  }

  /// Calls `body` with the position and impact of each posting.
  @inline(__always)
  static func forEach(_ parts: [[UInt8]], documents: Int, _ body: (Int, UInt16) -> Void) {
    for part in parts {
      if part.count == 2 {
        let impact = UInt16(part[0]) << 8 | UInt16(part[1])
        for ordinal in 0..<documents { body(ordinal, impact) }
        continue
      }
      let span = part.span
      var (position, next) = (0, 0)
      while position < span.count {
        var byte = span[position]
        var distance = Int(byte & 0x7f)
        var shift = 7
        position += 1
        while byte & 0x80 != 0 {
          byte = span[position]
          distance |= Int(byte & 0x7f) << shift
          shift += 7
          position += 1
        }
        let impact = UInt16(span[position]) << 8 | UInt16(span[position + 1])
        position += 2
        body(next + distance, impact)
        next += distance + 1
      }
    }
  }

  static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  // MARK: - Identifiers

  /// - Parameter ids: in rising order.
  static func parts(ids: [Int64]) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var part: [UInt8] = []
    var last: UInt64 = 0
    for id in ids {
      if part.count > partBytes - 10 {
        parts.append(part)
        (part, last) = ([], 0)
      }
      let value = UInt64(bitPattern: id)
      append(value &- last, to: &part)
      last = value
    }
    return parts + [part]
  }

  static func appendIDs(of part: [UInt8], to ids: inout [Int64]) {
    var (last, value, shift): (UInt64, UInt64, UInt64) = (0, 0, 0)
    for byte in part {
      value |= UInt64(byte & 0x7f) << shift
      shift += 7
      if byte & 0x80 == 0 {
        last &+= value
        ids.append(Int64(bitPattern: last))
        (value, shift) = (0, 0)
      }
    }
  }

  // MARK: - Numbers

  /// Documents of a part of a column of numbers.
  static let numbersOfPart = 224

  /// The numbers of documents at one position, in parts of so many documents: whether each has one, then the numbers
  /// above the least one in as few octets as hold them.
  static func parts(numbers: [Int64?]) -> [[UInt8]] {
    stride(from: 0, to: numbers.count, by: numbersOfPart).map { start in
      let numbers = numbers[start..<min(start + numbersOfPart, numbers.count)]
      let present = numbers.compactMap { $0 }
      let least = present.min() ?? 0
      let span = UInt64(bitPattern: (present.max() ?? 0) &- least)
      let width = (UInt64.bitWidth - span.leadingZeroBitCount + 7) / 8
      var part = [UInt8(width)] + octets(UInt64(bitPattern: least), 8)
      var bits = [UInt8](repeating: 0, count: (numbers.count + 7) / 8)
      for (index, number) in numbers.enumerated() where number != nil { bits[index / 8] |= 1 << UInt8(index % 8) }
      part += bits
      for number in numbers { part += octets(UInt64(bitPattern: (number ?? least) &- least), width) }
      return part
    }
  }

  private static func octets(_ value: UInt64, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (width - 1 - $0))) }
  }

  /// The number of the `index`th document of a part of `count`.
  static func number(_ index: Int, in part: [UInt8], of count: Int) -> Int64? {
    guard part[9 + index / 8] & 1 << UInt8(index % 8) != 0 else { return nil }
    let width = Int(part[0])
    func value(_ start: Int, _ width: Int) -> UInt64 {
      part[start..<(start + width)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    let start = 9 + (count + 7) / 8 + index * width
    return Int64(bitPattern: value(1, 8) &+ value(start, width))
  }
}
