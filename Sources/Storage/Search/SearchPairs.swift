/// Statements that ask for many rows at once, each by a pair of numbers of which the first is a segment. They have few
/// texts, so that engines keep them prepared: what is left of a text is filled up with a pair that no row has.
struct SearchPairs {
  /// Pairs of one statement: a single list, a word in the segments of a million documents, and the completions of one
  /// there.
  private static let sizes = [1, 16, 64, 256]

  private let texts: [(size: Int, sql: String)]

  /// - Parameter sql: a statement around the `VALUES` of the pairs, which both engines call `column1` and `column2`.
  init(_ sql: (_ values: String) -> String) {
    texts = Self.sizes.map { size in
      let values = (0..<size).map { "(CAST($\(2 * $0 + 1) AS BIGINT), CAST($\(2 * $0 + 2) AS BIGINT))" }
      return (size, sql("(VALUES \(values.joined(separator: ", ")))"))
    }
  }

  /// Calls `row` with the rows of all pairs, which have to differ.
  func forEach(_ pairs: [(Int64, Int64)], _ reader: any Reader, row: (any Row) throws -> Void) throws {
    var rest = pairs[...]
    while let largest = texts.last, !rest.isEmpty {
      let (size, sql) = texts.first { $0.size >= rest.count } ?? largest
      var arguments = rest.prefix(size).flatMap { [SQLValue.integer($0), .integer($1)] }
      arguments += Array(repeating: .integer(0), count: 2 * size - arguments.count)
      try reader.query(sql, arguments, row: row)
      rest = rest.dropFirst(size)
    }
  }
}
