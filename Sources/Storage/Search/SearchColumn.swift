/// The numbers of a segment's documents at one position, as far as they were read.
struct SearchColumn {
  private let parts: [SearchPostings.Part]
  private var next = 0
  private var current: (first: Int, numbers: Numbers)?

  /// - Parameter parts: in the order of their documents.
  init(_ parts: [SearchPostings.Part]) {
    self.parts = parts
  }

  /// The number of a document, or nil if it has none.
  /// - Parameter ordinal: not below that of the call before.
  mutating func number(_ ordinal: Int) -> Int64? {
    while next < parts.count, parts[next].first <= ordinal {
      current = (parts[next].first, Numbers(parts[next].bytes))
      next += 1
    }
    guard let current, ordinal - current.first < current.numbers.count else { return nil }
    return current.numbers[ordinal - current.first]
  }

  /// A part: for how many documents it is (two octets), how many octets each number takes and whether some are missing,
  /// the least number, the bits of those that are there if not all are, and how far each is above the least.
  struct Numbers {
    let count: Int
    private let bytes: [UInt8]
    private let width: Int
    private let hasGaps: Bool
    private let least: Int64
    private let start: Int

    private static let gaps: UInt8 = 0x80
    fileprivate static let headerSize = 11

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      count = Int(bytes[0]) << 8 | Int(bytes[1])
      width = Int(bytes[2] & ~Self.gaps)
      hasGaps = bytes[2] & Self.gaps != 0
      least = Int64(bitPattern: bytes[3..<Self.headerSize].reduce(0) { $0 << 8 | UInt64($1) })
      start = Self.headerSize + (hasGaps ? (count + 7) / 8 : 0)
    }

    subscript(index: Int) -> Int64? {
      if hasGaps, bytes[Self.headerSize + index / 8] & 1 << UInt8(index % 8) == 0 { return nil }
      var above: UInt64 = 0
      for place in (start + index * width)..<(start + (index + 1) * width) { above = above << 8 | UInt64(bytes[place]) }
      return Int64(bitPattern: UInt64(bitPattern: least) &+ above)
    }

    fileprivate static func part(_ numbers: ArraySlice<Int64?>) -> [UInt8] {
      let width = width(of: numbers)
      let least = numbers.lazy.compactMap { $0 }.min() ?? 0
      let hasGaps = numbers.contains { $0 == nil }
      var part =
        octets(UInt64(numbers.count), 2) + [UInt8(width) | (hasGaps ? gaps : 0)] + octets(UInt64(bitPattern: least), 8)
      if hasGaps {
        var bits = [UInt8](repeating: 0, count: (numbers.count + 7) / 8)
        for (index, number) in numbers.enumerated() where number != nil { bits[index / 8] |= 1 << UInt8(index % 8) }
        part += bits
      }
      for number in numbers { part += octets(UInt64(bitPattern: (number ?? least) &- least), width) }
      return part
    }

    fileprivate static func width(of numbers: ArraySlice<Int64?>) -> Int {
      let present = numbers.lazy.compactMap { $0 }
      let span = UInt64(bitPattern: (present.max() ?? 0) &- (present.min() ?? 0))
      return (UInt64.bitWidth - span.leadingZeroBitCount + 7) / 8
    }

    private static func octets(_ value: UInt64, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (width - 1 - $0))) }
    }
  }

  /// Documents of a part in which all have the same number.
  private static let most = 8192

  static func parts(_ numbers: [Int64?]) -> [SearchPostings.Part] {
    let width = Numbers.width(of: numbers[...])
    let documents = min((SearchPostings.partBytes - Numbers.headerSize - 1) * 8 / (8 * width + 1), most)
    return stride(from: 0, to: numbers.count, by: documents).map { start in
      SearchPostings.Part(
        first: start, bytes: Numbers.part(numbers[start..<min(start + documents, numbers.count)]))
    }
  }
}
