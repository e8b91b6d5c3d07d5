/// How lists are laid out in a segment: in parts that are small enough for a page.
///
/// A posting is the distance to the one before (7 bits an octet, the lowest first) and its impact in two octets. Each
/// part begins anew, so that it can be read alone. A list of all documents with one impact is that impact.
enum SearchPostings {
  /// Octets of a part: PostgreSQL keeps a row of up to 2,000 octets in its page, and SQLite two of these in one.
  static let partBytes = 1900

  /// What a list of all documents with one impact takes. One posting of any other list takes more.
  static let uniformBytes = 2

  /// A piece of a list or a column.
  struct Part: Sendable, Equatable {
    /// The position of its first document. That of the first part is 0, so that it is found without more knowledge.
    let first: Int
    let bytes: [UInt8]
  }

  /// Makes the parts of a list.
  struct Builder {
    private(set) var count = 0
    private var parts: [Part] = []
    private var first = 0
    private var part: [UInt8] = []
    private var next = 0
    private var impact: UInt16 = 0
    private var isUniform = true

    /// - Parameter ordinal: above the one before.
    mutating func append(_ ordinal: Int, _ impact: UInt16) {
      if part.count > SearchPostings.partBytes - 12 {
        parts.append(Part(first: first, bytes: part))
        (first, part, next) = (ordinal, [], 0)
      }
      if count == 0 { self.impact = impact } else if impact != self.impact { isUniform = false }
      SearchPostings.append(UInt64(ordinal - next), to: &part)
      part.append(UInt8(impact >> 8))
      part.append(UInt8(truncatingIfNeeded: impact))
      next = ordinal + 1
      count += 1
    }

    /// - Parameter documents: how many the segment has.
    func finished(documents: Int) -> [Part] {
      if count == documents, isUniform {
        return [Part(first: 0, bytes: [UInt8(impact >> 8), UInt8(truncatingIfNeeded: impact)])]
      }
      return parts + [Part(first: first, bytes: part)]
    }
  }

  /// Calls `body` with the position and impact of each posting; positions rise, and are below `documents`.
  @inline(__always)
  static func forEach(_ parts: [[UInt8]], documents: Int, _ body: (Int, UInt16) -> Void) {
    for part in parts {
      if part.count == uniformBytes {
        let impact = UInt16(part[0]) << 8 | UInt16(part[1])
        for ordinal in 0..<documents { body(ordinal, impact) }
        continue
      }
      let span = part.span
      let end = span.count
      var (position, next) = (0, 0)
      while position < end {
        var byte = span[position]
        var distance = Int(byte & 0x7f)
        position += 1
        var shift = 7
        while byte & 0x80 != 0 {
          byte = span[position]
          distance |= Int(byte & 0x7f) << shift
          shift += 7
          position += 1
        }
        let impact = UInt16(span[position]) << 8 | UInt16(span[position + 1])
        position += 2
        next += distance
        // A damaged list must not lead beyond the documents.
        if next >= documents { break }
        body(next, impact)
        next += 1
      }
    }
  }

  /// The `count` postings with the greatest impacts, the first ones of equals, in the order of their positions.
  static func best(
    _ count: Int, of postings: [(ordinal: Int32, impact: UInt16)]
  ) -> [(ordinal: Int32, impact: UInt16)] {
    var numbers = [Int](repeating: 0, count: Int(UInt16.max) + 1)
    for posting in postings { numbers[Int(posting.impact)] += 1 }
    // The least impact that still has a place, and how many of it have.
    var (least, left) = (numbers.count - 1, count)
    while least > 0, numbers[least] < left {
      left -= numbers[least]
      least -= 1
    }
    return postings.filter { posting in
      if posting.impact > least { return true }
      guard posting.impact == least, left > 0 else { return false }
      left -= 1
      return true
    }
  }

  // MARK: - Numbers in few octets

  static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// Reads what `append` has written, and moves `position` behind it.
  static func number(in bytes: [UInt8], at position: inout Int) -> UInt64 {
    var (value, shift): (UInt64, UInt64) = (0, 0)
    while true {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
    }
  }

  // MARK: - Identifiers

  /// - Parameter ids: in rising order.
  static func parts(ids: [Int64]) -> [Part] {
    var parts: [Part] = []
    var (first, part, last): (Int, [UInt8], UInt64) = (0, [], 0)
    for (index, id) in ids.enumerated() {
      if part.count > partBytes - 10 {
        parts.append(Part(first: first, bytes: part))
        (first, part, last) = (index, [], 0)
      }
      let value = UInt64(bitPattern: id)
      append(value &- last, to: &part)
      last = value
    }
    return parts + [Part(first: first, bytes: part)]
  }

  static func appendIDs(of part: [UInt8], to ids: inout [Int64]) {
    var (last, position): (UInt64, Int) = (0, 0)
    while position < part.count {
      last &+= number(in: part, at: &position)
      ids.append(Int64(bitPattern: last))
    }
  }
}
