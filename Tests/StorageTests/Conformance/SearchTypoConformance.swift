import Base
import Testing

@testable import Storage

/// Misspelt words of a vocabulary in which many words begin alike.
@Suite struct SearchTypoConformance {
  private static let beginning = Array("verkehr")

  /// Words of 10 to 15 letters.
  private static let words: [String] = {
    let random = SeededRandomSource(seed: 11)
    var words: Set<String> = []
    while words.count < 200 {
      let end = (0..<(3 + words.count % 6)).map { _ in letter(Int(random.below(26))) }
      words.insert(String(beginning + end))
    }
    return words.sorted()
  }()

  private static func letter(_ number: Int) -> Character { Character(Unicode.Scalar(UInt8(97 + number))) }

  /// One letter too few, too many, wrong, or in the other's place.
  private static func misspelt(_ word: String, _ kind: Int, at position: Int) -> String {
    var letters = Array(word)
    switch kind {
    case 0: letters.remove(at: position)
    case 1: letters.insert("x", at: position)
    case 2: letters[position] = letters[position] == "x" ? "y" : "x"
    default: letters.swapAt(position, position + 1)
    }
    return String(letters)
  }

  @Test(arguments: Engine.all) func `each of many words with one beginning is found, wherever it is misspelt`(
    engine: Engine
  ) async throws {
    try await engine.withDatabase(SearchSchema.migrations) { database in
      let index = SearchIndex(
        "things", fields: ["text": 1], clock: ManualClock(), random: SeededRandomSource(seed: 1))
      try await database.write { writer in
        for (id, word) in Self.words.enumerated() {
          try index.put(SearchDocument(id: Int64(id), texts: ["text": word]), in: writer)
        }
      }
      let typed = Self.words.enumerated().flatMap { number, word in
        [1 + number % 6, 7 + number % (word.count - 8)].map { position in
          (Self.misspelt(word, number % 4, at: position), word)
        }
      }
      let missed = try await database.read { reader in
        try typed.filter { text, word in
          // Equal letters have changed their places.
          try text != word && !index.corrections(text, reader).contains { $0.word == word }
        }
      }
      #expect(missed.map(\.0) == [])
    }
  }
}
