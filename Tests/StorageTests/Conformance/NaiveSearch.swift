import Foundation

@testable import Storage

/// BM25 over all documents, word for word.
struct NaiveSearch {
  let documents: [SearchDocument]
  /// What a word counts; nil: by how many of the documents have it.
  var weights: [String: Int64] = [:]

  private func words(_ document: SearchDocument, _ field: String) -> [String] {
    (document.texts[field] ?? "").split(separator: " ").map(String.init)
  }

  private func impact(_ document: SearchDocument, _ word: String) -> Double? {
    let (title, text) = (words(document, "title"), words(document, "text"))
    let frequency = 3 * Double(title.filter { $0 == word }.count) + Double(text.filter { $0 == word }.count)
    guard frequency > 0 else { return nil }
    let length = 3 * Double(title.count) + Double(text.count)
    let norm = 1.2 * (1 - 0.75 + 0.75 * length / 32)
    return min((document.boost * frequency * 2.2 / (frequency + norm) * 1000).rounded(), 65535)
  }

  private func weight(_ word: String) -> Double {
    if let known = weights[word] { return Double(known) }
    let n = Double(documents.filter { impact($0, word) != nil }.count)
    return max(1, (log(1 + (Double(documents.count) - n + 0.5) / (n + 0.5)) * 1000).rounded())
  }

  func run(_ words: [String], _ query: SearchQuery) -> [SearchHit] {
    var hits: [SearchHit] = []
    for document in documents {
      guard query.tags.allSatisfy(document.tags.contains),
        query.ranges.allSatisfy({ $0.value.contains(document.numbers[$0.key]) })
      else { continue }
      let impacts = words.map { impact(document, $0) }
      if impacts.contains(where: { $0 == nil }) { continue }
      let score = zip(words, impacts).reduce(0) { $0 + ($1.1 ?? 0) * weight($1.0) }
      hits.append(SearchHit(id: document.id, score: Int64(score)))
    }
    return hits.sorted { $0.score != $1.score ? $0.score > $1.score : $0.id < $1.id }
  }

  /// How many of the hits have each tag.
  func counts(_ hits: [SearchHit], _ tags: [String]) -> [String: Int] {
    let found = Set(hits.map(\.id))
    var counts: [String: Int] = [:]
    for document in documents where found.contains(document.id) {
      for tag in tags where document.tags.contains(tag) { counts[tag, default: 0] += 1 }
    }
    return counts
  }
}
