internal import Base

/// What a segment says of a term.
struct SearchList: Sendable {
  /// How many of the segment's documents have the term, dead ones included.
  let total: Int
  /// Nil: in rows of its own that were not read.
  var parts: [SearchPostings.Part]?
  /// The best postings of a long list; nil: not read.
  var best: [[UInt8]]?

  /// What an entry of a cache takes beside the octets of its parts.
  private static let overhead = 128

  /// Octets in memory, roughly.
  var size: Int {
    (parts ?? []).reduce(Self.overhead) { $0 + $1.bytes.count } + (best ?? []).reduce(0) { $0 + $1.count }
  }
}

/// Lists as a node remembers them, since segments do not change: of a frequent word they are megabytes, which would
/// travel from the database for each query. Safe to share.
final class SearchListCache: Sendable {
  private struct Key: Hashable {
    let term: Int64
    let segment: Int64
  }

  private let known: Locked<BoundedCache<Key, SearchList>>

  /// - Parameter bytes: what the lists may take together.
  init(bytes: Int) {
    known = Locked(BoundedCache(capacity: bytes) { $0.size })
  }

  /// What is known of a term, by segment. A list of no documents says that the segment does not have the term.
  func lists(of term: Int64, in segments: [SearchSegment]) -> [Int64: SearchList] {
    known.withLock { known in
      var lists: [Int64: SearchList] = [:]
      for segment in segments {
        if let list = known[Key(term: term, segment: segment.id)] { lists[segment.id] = list }
      }
      return lists
    }
  }

  /// - Parameter lists: by term and segment.
  func keep(_ lists: [Int64: [Int64: SearchList]]) {
    known.withLock { known in
      for (term, lists) in lists {
        for (segment, list) in lists { known[Key(term: term, segment: segment)] = list }
      }
    }
  }
}
