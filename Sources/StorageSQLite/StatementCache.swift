internal import Storage

/// The prepared statements of one connection, by their texts.
///
/// A text is a literal nearly always, or was made once, and so lies at the same place in memory each time it comes. Its
/// statement is looked for by that place first, without a look at the bytes.
struct StatementCache {
  /// Where the bytes of a text lie.
  private struct Place: Equatable {
    let address: UInt
    let count: Int

    /// The longest text that Swift keeps in the value itself: its bytes lie nowhere for long.
    private static let longestInline = 15

    /// Nil for a text whose bytes have no lasting place.
    init?(_ sql: String) {
      let address = sql.utf8.withContiguousStorageIfAvailable { UInt(bitPattern: $0.baseAddress) }
      guard let address, sql.utf8.count > Self.longestInline else { return nil }
      self.address = address
      count = sql.utf8.count
    }

    /// Its slot among the recent ones; multiplied by 2⁶⁴ divided by the golden ratio, so that near places are spread.
    var slot: Int {
      Int(truncatingIfNeeded: (UInt64(address) &* 0x9E37_79B9_7F4A_7C15) >> (64 - StatementCache.slotBits))
    }
  }

  private static let slotBits: UInt64 = 8

  private let limit: Int
  // By slots. Side by side, so that a look at a place does not touch what holds counts of references.
  private var recentPlaces = [Place?](repeating: nil, count: 1 << slotBits)
  private var recentStatements = [SQLiteStatement?](repeating: nil, count: 1 << slotBits)
  /// Kept, so that no other texts come to lie at their places.
  private var recentTexts = [String](repeating: "", count: 1 << slotBits)
  private var statements: [StatementText: SQLiteStatement] = [:]

  /// - Parameter limit: how many statements stay prepared.
  init(limit: Int) {
    self.limit = limit
  }

  /// The statement of a text, nil if none is prepared.
  mutating func find(_ sql: String) -> SQLiteStatement? {
    let place = Place(sql)
    if let place, recentPlaces[place.slot] == place { return recentStatements[place.slot] }
    guard let statement = statements[StatementText(sql: sql)] else { return nil }
    if let place {
      recentPlaces[place.slot] = place
      recentStatements[place.slot] = statement
      recentTexts[place.slot] = sql
    }
    return statement
  }

  /// Adds a statement. When there are as many as the limit says, all but those that run are forgotten before.
  mutating func insert(_ statement: SQLiteStatement) {
    if statements.count >= limit {
      let running = statements.filter { $0.value.isRunning }
      removeAll()
      statements = running
    }
    statements[StatementText(sql: statement.sql)] = statement
  }

  mutating func removeAll() {
    self = StatementCache(limit: limit)
  }
}
