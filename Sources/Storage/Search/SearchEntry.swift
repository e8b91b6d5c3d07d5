internal import Base

/// What is stored of a document: the key and impact of each term in the order of the keys, then its numbers.
struct SearchEntry {
  let bytes: [UInt8]

  private static let termSize = 10
  private static let headerSize = 2

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  init(terms: [Int64: UInt16], numbers: [Int64]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerSize + terms.count * Self.termSize + numbers.count * 8)
    // The limits of words and tags keep the count below 2¹⁶.
    let count = UInt16(terms.count)
    bytes += [UInt8(count >> 8), UInt8(truncatingIfNeeded: count)]
    for (key, impact) in terms.sorted(by: { $0.key < $1.key }) {
      Self.append(key, to: &bytes)
      bytes.append(UInt8(impact >> 8))
      bytes.append(UInt8(truncatingIfNeeded: impact))
    }
    for number in numbers { Self.append(number, to: &bytes) }
    self.bytes = bytes
  }

  private static func append(_ number: Int64, to bytes: inout [UInt8]) {
    for shift in stride(from: 56, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> Int64(shift)))
    }
  }

  /// Of terms.
  var count: Int { Int(bytes[0]) << 8 | Int(bytes[1]) }

  private func word(at offset: Int) -> Int64 {
    precondition(offset >= 0 && offset + 8 <= bytes.count, "an entry holds whole words")
    // Aligned or not, within the bytes: a search for a term in thousands of entries consists of little else.
    return unsafe bytes.withUnsafeBytes { octets in
      unsafe Int64(bigEndian: octets.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    }
  }

  private func impact(at index: Int) -> UInt16 {
    let offset = Self.headerSize + index * Self.termSize + 8
    return UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  /// The impact of a term, or nil if the document does not have it.
  func impact(of key: Int64) -> UInt16? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      let found = word(at: Self.headerSize + middle * Self.termSize)
      if found == key { return impact(at: middle) }
      if found < key { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// Calls `body` with the place of each key that the document has, and its impact.
  /// - Parameter keys: rising.
  func forEachImpact(of keys: [Int64], _ body: (Int, UInt16) -> Void) {
    let count = count
    precondition(Self.headerSize + count * Self.termSize <= bytes.count, "an entry holds its terms")
    // Within the bytes, as was just seen. All fresh documents are asked for all terms of a query.
    unsafe bytes.withUnsafeBytes { octets in
      var first = 0
      for (place, key) in keys.enumerated() {
        var (low, high) = (first, count)
        while low < high {
          let middle = (low + high) / 2
          let offset = Self.headerSize + middle * Self.termSize
          if unsafe Int64(bigEndian: octets.loadUnaligned(fromByteOffset: offset, as: Int64.self)) < key {
            low = middle + 1
          } else {
            high = middle
          }
        }
        if low == count { return }
        if word(at: Self.headerSize + low * Self.termSize) == key { body(place, impact(at: low)) }
        first = low
      }
    }
  }

  func forEachTerm(_ body: (Int64, UInt16) -> Void) {
    for index in 0..<count { body(word(at: Self.headerSize + index * Self.termSize), impact(at: index)) }
  }

  /// The number at a position, or nil if the document has fewer.
  func number(_ position: Int) -> Int64? {
    let offset = Self.headerSize + count * Self.termSize + 8 * position
    return offset + 8 <= bytes.count ? word(at: offset) : nil
  }
}
