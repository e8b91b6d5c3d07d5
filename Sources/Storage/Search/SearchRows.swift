internal import Base

/// The rows of a segment in the making. Lists come in the order of their terms.
struct SearchRows: Sendable {
  private let segment: Int64
  private let documents: Int
  private let longList: Int
  private let bestPostings: Int
  private var dictionary = SearchTerms.Builder()
  private var terms: [[SQLValue]] = []
  private var blocks: [[SQLValue]] = []

  init(_ segment: Int64, documents: Int, _ shape: SearchIndex.Shape) {
    self.segment = segment
    self.documents = documents
    longList = shape.longList
    bestPostings = shape.bestPostings
  }

  /// That are ready to be written.
  var count: Int { terms.count + blocks.count }

  /// Adds a list. A long one gets its best postings once more, as the parts -1, -2 and so on.
  mutating func append(_ term: Int64, _ postings: [(ordinal: Int32, impact: UInt16)]) {
    let parts = Self.parts(postings, documents: documents)
    var list: [UInt8] = []
    let isUniform = parts[0].bytes.count == SearchPostings.uniformBytes
    if isUniform || (parts[0].bytes.count <= SearchTerms.listBytes && postings.count <= longList) {
      list = parts[0].bytes
    } else {
      append(term, parts)
      if postings.count > longList {
        let best = Self.parts(SearchPostings.best(bestPostings, of: postings), documents: documents)
        for (index, part) in best.enumerated() { append(term, -1 - index, part.bytes) }
      }
    }
    append(dictionary.append(SearchTerms.Entry(term: term, total: postings.count, list: list)))
  }

  /// Adds a list that is not in the dictionary: ids or numbers.
  mutating func append(_ key: Int64, _ parts: [SearchPostings.Part]) {
    for part in parts { append(key, part.first, part.bytes) }
  }

  /// After the last list.
  mutating func finish() { append(dictionary.finish()) }

  private mutating func append(_ term: Int64, _ part: Int, _ bytes: [UInt8]) {
    blocks.append([.integer(segment), .integer(term), .integer(Int64(part)), .blob(bytes)])
  }

  private mutating func append(_ row: SearchTerms.Row?) {
    if let row { terms.append([.integer(segment), .integer(row.term), .blob(row.bytes)]) }
  }

  private static func parts(
    _ postings: [(ordinal: Int32, impact: UInt16)], documents: Int
  ) -> [SearchPostings.Part] {
    var list = SearchPostings.Builder()
    for (ordinal, impact) in postings { list.append(Int(ordinal), impact) }
    return list.finished(documents: documents)
  }

  /// Takes up to `limit` rows of each table out.
  mutating func take(_ limit: Int) -> SearchRows {
    var taken = self
    taken.terms = Array(terms.prefix(limit))
    taken.blocks = Array(blocks.prefix(limit))
    terms.removeFirst(taken.terms.count)
    blocks.removeFirst(taken.blocks.count)
    return taken
  }

  func write(_ writer: any Writer) throws {
    try writer.insert("octet_search_terms (segment, term, bytes)", terms)
    try writer.insert("octet_search_blocks (segment, term, part, bytes)", blocks)
  }
}
