import Base
import Glibc
import Storage

/// Made-up documents and what is asked of them. Words follow Zipf's law over a vocabulary of 200,000: the first one is in
/// nine of ten documents, and half of the vocabulary in fewer than thirty of a million.
struct SearchCorpus: Sendable {
  private let words: [String]

  static let vocabulary = 200_000
  static let stores = 1000
  static let prices = 10_000

  private static let syllables = [
    "ka", "to", "mi", "ra", "ne", "su", "lo", "pe", "di", "ga", "vo", "be", "shu", "cor", "tan", "fil",
  ]

  init() {
    words = (0..<Self.vocabulary).map(Self.word)
  }

  /// Words of three to five syllables, spread over the alphabet.
  private static func word(_ rank: Int) -> String {
    var rest = rank &* 40_503 % 65_536 + rank / 65_536 * 65_536
    var word = ""
    while word.isEmpty || rest > 0 || word.utf8.count < 6 {
      word += syllables[rest % 16]
      rest /= 16
    }
    return word
  }

  /// The inverse of Zipf's distribution with exponent 1, continuous: rank = vocabulary^u.
  private func zipf(_ random: any RandomSource) -> String {
    let uniform = Double(random.next() >> 11) / 0x1p53
    return words[min(Int(pow(Double(Self.vocabulary), uniform)) - 1, Self.vocabulary - 1)]
  }

  struct Document {
    let id: Int64
    /// Three to eight words.
    let title: String
    /// Twenty to sixty words.
    let body: String
    let store: Int
    let price: Int64
  }

  /// The `number`th document; ids rise with time as those of rows do.
  func document(_ number: Int64) -> Document {
    let random = SeededRandomSource(seed: UInt64(number))
    func text(_ count: UInt64) -> String { (0..<count).map { _ in zipf(random) }.joined(separator: " ") }
    return Document(
      id: (1_700_000_000_000 + number * 50) << 20 | Int64(random.below(1 << 20)), title: text(3 + random.below(6)),
      body: text(20 + random.below(41)), store: Int(random.below(UInt64(Self.stores))),
      price: Int64(random.below(UInt64(Self.prices))))
  }

  /// What is looked for, in a form that every engine can be asked.
  struct Query: Sendable {
    var words: [String]
    var isLastUnfinished = false
    var store: Int?
    var prices: ClosedRange<Int64>?
  }

  struct Kind: Sendable {
    let name: String
    let make: @Sendable (any RandomSource) -> Query
  }

  /// Words by their rank: below 10 in more than a fifth of all documents, around 500 in one of 250.
  var kinds: [Kind] {
    let pick = { @Sendable [words] (ranks: Range<UInt64>, random: any RandomSource) -> String in
      words[Int(ranks.lowerBound + random.below(ranks.upperBound - ranks.lowerBound))]
    }
    let (common, middle, rare): (Range<UInt64>, Range<UInt64>, Range<UInt64>) = (0..<20, 200..<1000, 20_000..<100_000)
    return [
      Kind(name: "commonest word") { [words] _ in Query(words: [words[0]]) },
      Kind(name: "common word") { Query(words: [pick(common, $0)]) },
      Kind(name: "rare word") { Query(words: [pick(rare, $0)]) },
      Kind(name: "common + common") { Query(words: [pick(0..<10, $0), pick(10..<20, $0)]) },
      Kind(name: "middling + middling") { Query(words: [pick(200..<600, $0), pick(600..<1000, $0)]) },
      Kind(name: "rare + common") { Query(words: [pick(rare, $0), pick(common, $0)]) },
      Kind(name: "four words") {
        Query(words: [pick(common, $0), pick(20..<100, $0), pick(100..<200, $0), pick(middle, $0)])
      },
      Kind(name: "common, one store of 1000") {
        Query(words: [pick(common, $0)], store: Int($0.below(UInt64(SearchCorpus.stores))))
      },
      Kind(name: "common, a tenth of the prices") {
        let least = Int64($0.below(9000))
        return Query(words: [pick(common, $0)], prices: least...(least + 999))
      },
      Kind(name: "prefix of 2") { Query(words: [String(pick(middle, $0).prefix(2))], isLastUnfinished: true) },
      Kind(name: "prefix of 4") { Query(words: [String(pick(0..<20_000, $0).prefix(4))], isLastUnfinished: true) },
      Kind(name: "common + prefix of 5") {
        Query(words: [pick(common, $0), String(pick(0..<20_000, $0).prefix(5))], isLastUnfinished: true)
      },
    ]
  }

  /// A word with a letter missing.
  func misspelt(_ random: any RandomSource) -> String {
    var word = words[Int(random.below(20_000))]
    word.remove(at: word.index(word.startIndex, offsetBy: 2))
    return word
  }

  /// Prints documents as lines of title and body with a tab between, then queries of each kind that asks for words alone
  /// as lines of kind and words; a `*` ends a word that is not finished.
  func print(documents: Int, queries: Int) {
    for number in 0..<documents {
      let document = document(Int64(number))
      Swift.print(document.title, document.body, separator: "\t")
    }
    let random = SeededRandomSource(seed: 1)
    for kind in kinds {
      for _ in 0..<queries {
        let query = kind.make(random)
        if query.store != nil || query.prices != nil { break }
        let words = query.words.joined(separator: " ")
        Swift.print(kind.name, query.isLastUnfinished ? words + "*" : words, separator: "\t")
      }
    }
  }
}
