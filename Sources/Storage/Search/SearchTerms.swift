/// The dictionary of a segment: its terms in rising order, each with its list if that is short. It is cut into rows of
/// the size of a part, each found by its first term: most terms have a posting or two, for which rows of their own
/// would cost ten times what they hold.
///
/// An entry is the term in eight octets, how many documents have it, how many octets of its list follow (none: the list
/// has rows of its own), and these.
enum SearchTerms {
  /// Octets up to which a list stays in the dictionary: rows are filled by three quarters at least.
  static let listBytes = SearchPostings.partBytes / 4

  struct Entry: Sendable, Equatable {
    let term: Int64
    /// Documents that have the term.
    let total: Int
    /// Empty if the list has rows of its own.
    let list: [UInt8]
  }

  struct Row: Sendable, Equatable {
    /// The first one in it.
    let term: Int64
    let bytes: [UInt8]
  }

  struct Builder: Sendable {
    private var term: Int64 = 0
    private var bytes: [UInt8] = []
    /// The term, and both numbers, of which neither reaches 2²⁸.
    private static let longestHeader = 8 + 4 + 2

    /// - Parameter entry: whose term is above the one before.
    /// - Returns: a row that has become full.
    mutating func append(_ entry: Entry) -> Row? {
      var full: Row?
      if bytes.count + entry.list.count + Self.longestHeader > SearchPostings.partBytes { full = finish() }
      if bytes.isEmpty {
        term = entry.term
        bytes.reserveCapacity(SearchPostings.partBytes)
      }
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: entry.term >> Int64(shift)))
      }
      SearchPostings.append(UInt64(entry.total), to: &bytes)
      SearchPostings.append(UInt64(entry.list.count), to: &bytes)
      bytes += entry.list
      return full
    }

    /// - Returns: the last row.
    mutating func finish() -> Row? {
      if bytes.isEmpty { return nil }
      defer { bytes = [] }
      return Row(term: term, bytes: bytes)
    }
  }

  /// What a row says of a term.
  static func entry(of term: Int64, in row: [UInt8]) -> Entry? {
    var found: Entry?
    read(row) { each, total, list in
      if each == term { found = Entry(term: term, total: total, list: Array(row[list])) }
      return each < term
    }
    return found
  }

  static func entries(in row: [UInt8]) -> [Entry] {
    var entries: [Entry] = []
    read(row) { term, total, list in
      entries.append(Entry(term: term, total: total, list: Array(row[list])))
      return true
    }
    return entries
  }

  /// Calls `body` with each entry, until it returns false.
  @inline(__always)
  private static func read(_ row: [UInt8], _ body: (Int64, Int, Range<Int>) -> Bool) {
    var position = 0
    while position < row.count {
      precondition(position + 8 <= row.count, "a row holds whole entries")
      // Aligned or not, within the row: a query goes over hundreds of rows.
      let term = unsafe row.withUnsafeBytes { octets in
        unsafe Int64(bigEndian: octets.loadUnaligned(fromByteOffset: position, as: Int64.self))
      }
      position += 8
      let total = Int(SearchPostings.number(in: row, at: &position))
      let size = Int(SearchPostings.number(in: row, at: &position))
      if !body(term, total, position..<(position + size)) { return }
      position += size
    }
  }
}
