import Base
import Cryptography
import DomainKit
import Storage

/// What the services, the upkeep and the audit of the search domain share.
final class SearchCore: Sendable {
  let kit: Kit
  private let kinds = Locked([String: any FindableKind]())
  private let indexes: Locked<BoundedCache<Int64, SearchIndex>>

  /// Generations whose index a node has at hand: the one that is searched, the one that is built, and one to be removed.
  private static let openIndexes = 8
  /// On all that is found.
  static let everything = "all"
  /// Before the prefix of a kind.
  static let kindTag = "kind/"

  init(kit: Kit) {
    self.kit = kit
    indexes = Locked(BoundedCache(capacity: Self.openIndexes))
  }

  func register(_ added: [any FindableKind]) {
    kinds.withLock { kinds in
      for kind in added {
        precondition(kinds.updateValue(kind, forKey: kind.prefix) == nil, "\(kind.prefix) is found twice")
      }
    }
  }

  func kind(_ prefix: String) -> (any FindableKind)? { kinds.withLock { $0[prefix] } }

  var prefixes: Set<String> { kinds.withLock { Set($0.keys) } }

  func index(_ generation: Int64) -> SearchIndex {
    indexes.withLock { indexes in
      if let known = indexes[generation] { return known }
      let index = SearchIndex(
        "things/\(generation)", fields: ["title": 3, "summary": 1, "words": 1], clock: kit.clock, random: kit.random)
      indexes[generation] = index
      return index
    }
  }
}

extension SearchCore: Findables {
  func update(_ subject: SubjectID, in writer: any Writer) throws {
    guard let kind = kind(subject.kind) else { return }
    try writer.lock(Generation.lock, .shared)
    for generation in try Generation.all(in: writer) {
      if generation.state == .dropped {
        // What it said goes with this commit, not when the upkeep comes to it: the thing may have been erased.
        try writer.execute(
          "DELETE FROM search_rows WHERE document = $1 AND generation = $2", subject.id, generation.number)
      } else {
        try put([subject.id], of: kind, in: generation.number, writer)
      }
    }
  }

  func find(_ query: FindableQuery, limit: Int, in reader: any Reader) throws -> [FoundThing] {
    precondition(limit > 0 && limit <= FindableQuery.limit, "a search of 1 to \(FindableQuery.limit) things")
    var found: [FoundThing] = []
    var key: [SQLValue]?
    repeat {
      let size = min(limit - found.count, SearchLimits.pageSize)
      let page = try page(query, size: size, after: key, in: reader)
      found += page.things
      key = page.next
    } while key != nil && found.count < limit
    return found
  }

  func page(
    _ query: FindableQuery, size: Int, after key: [SQLValue]?, in reader: any Reader
  ) throws -> FoundPage {
    let words = SearchQuery(
      query.text, tags: [Self.everything, Self.kindTag + query.kind] + query.tags, ranges: query.ranges,
      completesLastWord: query.completesLastWord, correctsWords: true, order: query.order)
    let place = try SearchPlace(after: key, in: reader)
    do {
      let page = try index(place.generation).search(words, pageSize: size, after: place.cursor, in: reader)
      let isRanked = query.order == .relevance
      return FoundPage(
        things: page.hits.map {
          FoundThing(
            id: Identifier(rawValue: $0.id), relevance: isRanked ? Double($0.score) / SearchIndex.scoreScale : 0)
        }, next: page.next.map(place.key), isEstimated: !page.isComplete, isCorrected: page.isCorrected)
    } catch let error as SearchError {
      throw FindingError(error)
    }
  }

  /// Puts what is found of some things, as the transaction sees them.
  /// - Parameter ids: rising.
  func put(
    _ ids: [Identifier], of kind: any FindableKind, in generation: Int64, _ writer: any Writer
  ) throws {
    let index = index(generation)
    var documents: [SearchDocument] = []
    for id in ids {
      // Whoever has the row looks at the thing after all others who had it have committed.
      let known: [UInt8]? = try writer.first(
        """
        INSERT INTO search_rows (document, generation, kind, title, summary, digest) VALUES ($1, $2, $3, '', '', $4)
        ON CONFLICT (document, generation) DO UPDATE SET kind = excluded.kind RETURNING digest
        """, id, generation, kind.prefix, [UInt8]()
      ) { $0[0] }
      guard let entry = try kind.entry(of: id, in: writer) else {
        try writer.execute("DELETE FROM search_rows WHERE document = $1 AND generation = $2", id, generation)
        if known?.isEmpty == false { try index.remove(id.rawValue, in: writer) }
        continue
      }
      let digest = entry.digest
      if digest == known { continue }
      try writer.execute(
        "UPDATE search_rows SET title = $3, summary = $4, digest = $5 WHERE document = $1 AND generation = $2", id,
        generation, entry.title, entry.summary, digest)
      documents.append(entry.document(id, kind.prefix))
    }
    if !documents.isEmpty { try index.put(documents, in: writer) }
  }
}

/// Where a page begins: in which index, and behind what.
struct SearchPlace {
  let generation: Int64
  let cursor: SearchCursor?

  /// - Parameter key: of the page before; nil for the first page.
  /// - Throws: `FindingError.pageExpired` if that was another index's.
  init(after key: [SQLValue]?, in reader: any Reader) throws {
    generation = try Generation.live(in: reader).number
    guard let key else {
      cursor = nil
      return
    }
    guard key.first == .integer(generation), let known = SearchCursor(Array(key.dropFirst())) else {
      throw FindingError.pageExpired
    }
    cursor = known
  }

  /// For the page token.
  func key(_ cursor: SearchCursor) -> [SQLValue] { [.integer(generation)] + cursor.values }
}

extension FindableEntry {
  /// What the index is given.
  func document(_ id: Identifier, _ kind: String) -> SearchDocument {
    precondition(
      tags.count <= Self.tagLimit && numbers.count <= Self.numberLimit
        && tags.allSatisfy { $0.contains("/") && !$0.hasPrefix(SearchCore.kindTag) },
      "tags name a category and a value, and there are not too many")
    return SearchDocument(
      id: id.rawValue, texts: ["title": title, "summary": summary, "words": words],
      tags: [SearchCore.everything, SearchCore.kindTag + kind] + tags, numbers: numbers, boost: boost,
      isPersonal: isPersonal)
  }

  private static let digestLength = 16

  /// Equal for equal entries.
  var digest: [UInt8] {
    var bytes: [UInt8] = [isPersonal ? 1 : 0]
    for text in [title, summary, words] + tags + ["\(boost)"] {
      bytes += Int64(text.utf8.count).bigEndianBytes + Array(text.utf8)
    }
    for number in numbers { bytes += number.bigEndianBytes }
    return Hash.blake2b(bytes, length: Self.digestLength)
  }
}
