/// Documents of one segment that have all that was asked for so far, with their scores.
struct SearchMatches {
  let documents: Int
  /// What each of them scores besides.
  let base: Int64
  private(set) var ordinals: [Int32] = []
  private(set) var scores: [Int64] = []

  init(documents: Int, base: Int64 = 0) {
    self.documents = documents
    self.base = base
  }

  var isEmpty: Bool { ordinals.isEmpty }

  /// Takes all documents.
  mutating func beginWithAll() {
    ordinals = Array(0..<Int32(documents))
    scores = [Int64](repeating: base, count: documents)
  }

  /// Takes the documents of lists, each with the greatest of its impacts.
  /// - Parameter count: of the postings.
  mutating func begin(with lists: [[[UInt8]]], weight: Int64, atMost count: Int) {
    var (ordinals, scores): ([Int32], [Int64]) = ([], [])
    ordinals.reserveCapacity(min(count, documents))
    scores.reserveCapacity(min(count, documents))
    if lists.count == 1 {
      SearchPostings.forEach(lists[0], documents: documents) { ordinal, impact in
        ordinals.append(Int32(truncatingIfNeeded: ordinal))
        scores.append(Int64(impact) &* weight &+ base)
      }
    } else {
      Self.forEachPresent(in: greatest(lists)) { ordinal, impact in
        ordinals.append(Int32(truncatingIfNeeded: ordinal))
        scores.append(Int64(impact) &* weight &+ base)
      }
    }
    (self.ordinals, self.scores) = (ordinals, scores)
  }

  /// Calls `body` with the places of the impacts that are not 0. Of the best postings these are few of many, so that
  /// four are looked at in one.
  @inline(__always)
  private static func forEachPresent(in impacts: [UInt16], _ body: (Int, UInt16) -> Void) {
    let whole = impacts.count / 4 * 4
    unsafe impacts.withUnsafeBytes { octets in
      for first in stride(from: 0, to: whole, by: 4) {
        // Two octets each, and all four are there.
        if unsafe octets.loadUnaligned(fromByteOffset: 2 * first, as: UInt64.self) == 0 { continue }
        for place in first..<(first + 4) where impacts[place] > 0 { body(place, impacts[place]) }
      }
    }
    for place in whole..<impacts.count where impacts[place] > 0 { body(place, impacts[place]) }
  }

  /// Leaves the documents that are in one of the lists.
  mutating func cut(with lists: [[[UInt8]]], weight: Int64) {
    if lists.count != 1 {
      let greatest = greatest(lists)
      return keep(adding: { Int64(greatest[$0]) &* weight }, where: { greatest[$0] > 0 })
    }
    var (ordinals, scores) = (self.ordinals, self.scores)
    (self.ordinals, self.scores) = ([], [])
    let count = ordinals.count
    // Checked accesses make up half of the time of a query with two frequent words. The places that are written are
    // never ahead of the one that is read, which is below `count`.
    let kept = unsafe ordinals.withUnsafeMutableBufferPointer { ordinals in
      unsafe scores.withUnsafeMutableBufferPointer { scores in
        var (next, kept) = (0, 0)
        SearchPostings.forEach(lists[0], documents: documents) { ordinal, impact in
          while next < count, unsafe Int(ordinals[next]) < ordinal { next += 1 }
          if next < count, unsafe Int(ordinals[next]) == ordinal {
            unsafe ordinals[kept] = ordinals[next]
            unsafe scores[kept] = scores[next] &+ Int64(impact) &* weight
            kept += 1
            next += 1
          }
        }
        return kept
      }
    }
    ordinals.removeLast(count - kept)
    scores.removeLast(count - kept)
    (self.ordinals, self.scores) = (ordinals, scores)
  }

  mutating func keep(_ condition: (Int) -> Bool) { keep(adding: { _ in 0 }, where: condition) }

  @inline(__always)
  private mutating func keep(adding score: (Int) -> Int64, where condition: (Int) -> Bool) {
    var kept = 0
    for index in ordinals.indices {
      let ordinal = Int(ordinals[index])
      if !condition(ordinal) { continue }
      ordinals[kept] = ordinals[index]
      scores[kept] = scores[index] &+ score(ordinal)
      kept += 1
    }
    ordinals.removeLast(ordinals.count - kept)
    scores.removeLast(scores.count - kept)
  }

  /// How many of the documents are in a list.
  func count(in parts: [[UInt8]]) -> Int {
    var (next, count) = (0, 0)
    SearchPostings.forEach(parts, documents: documents) { ordinal, _ in
      while next < ordinals.count, Int(ordinals[next]) < ordinal { next += 1 }
      if next < ordinals.count, Int(ordinals[next]) == ordinal { count += 1 }
    }
    return count
  }

  /// The greatest impact of each document; 0: it is in none of the lists.
  private func greatest(_ lists: [[[UInt8]]]) -> [UInt16] {
    var greatest = [UInt16](repeating: 0, count: documents)
    unsafe greatest.withUnsafeMutableBufferPointer { greatest in
      for parts in lists {
        // Below `documents`, as `forEach` promises.
        SearchPostings.forEach(parts, documents: documents) { ordinal, impact in
          if unsafe greatest[ordinal] < impact { unsafe greatest[ordinal] = impact }
        }
      }
    }
    return greatest
  }
}
