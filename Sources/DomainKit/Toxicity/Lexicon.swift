import Base
import Normalization

/// Listed words as a tree of their letters, the words of a phrase with a space between them. A text is looked up from
/// each of its words on, no deeper than the longest entry, so that costs time in proportion to its length.
final class Lexicon: Sendable {
  struct Entry: Sendable {
    /// How often each letter stands in a row at least.
    var runs: [UInt32]
    /// Whether further letters may follow.
    var isStem: Bool
    /// The only language that it counts in; nil for all.
    var language: String?
    var meaning: Meaning
  }

  enum Meaning: Sendable {
    case toxic(weight: Int, ToxicityCategories)
    case negation
  }

  private struct Node: Sendable {
    var next: [UInt32: Int] = [:]
    var entries: [Entry] = []
  }

  /// A word that is harmless as it stands.
  private struct Harmless: Hashable, Sendable {
    var scalars: [UInt32]
    var language: String?
  }

  /// What makes two entries the same.
  private struct Key: Hashable {
    var letters: [ScannedText.Letter]
    var isStem: Bool
    var language: String?
  }

  /// Names the words in it.
  let version: String
  private let nodes: [Node]
  private let harmless: Set<Harmless>

  private static let space = LookAlikes.value(" ")
  /// Rises when texts are taken apart in another way.
  private static let scheme = "words-1"

  init(_ lists: [WordList], negations: [String]) throws(WordListError) {
    var entries: [Key: Meaning] = [:]
    var harmless: Set<Harmless> = []
    var hash = StableHash()
    var total = 0
    for (listIndex, list) in lists.enumerated() {
      guard (2...3).contains(list.language.utf8.count), list.language.utf8.allSatisfy({ (0x61...0x7A).contains($0) })
      else { throw WordListError(.language, list: listIndex) }
      total += list.words.count
      guard total <= WordList.entryLimit else { throw WordListError(.tooMany, list: listIndex) }
      for (wordIndex, word) in list.words.enumerated() {
        let at = { (fault: WordListError.Fault) in WordListError(fault, list: listIndex, word: wordIndex) }
        let language = word.isOnlyInLanguage ? list.language : nil
        hash.combine("\(list.language)\n\(word.text)\n\(word.weight)\n\(word.category.names)\n\(language ?? "")\n".utf8)
        guard (0...1000).contains(word.weight) else { throw at(.weight) }
        guard word.category.names.count == 1 else { throw at(.category) }
        let (forms, isStem, isPhrase) = try Self.forms(of: word.text, at)
        if word.weight == 0 {
          guard !isStem, !isPhrase else { throw at(.weight) }
          harmless.insert(Harmless(scalars: Self.asItStands(word.text), language: language))
        } else {
          for form in forms {
            entries[Key(letters: form, isStem: isStem, language: language)] = .toxic(
              weight: word.weight, word.category)
          }
        }
      }
    }
    for word in negations {
      hash.combine((word + "\n").utf8)
      // In their own script alone: the Cyrillic for “not” looks like “he”.
      let (forms, _, _) = try Self.forms(of: word) { WordListError($0, list: 0) }
      entries[Key(letters: forms[0], isStem: false, language: nil)] = .negation
    }
    var nodes = [Node()]
    for (key, meaning) in entries {
      var node = 0
      for letter in key.letters {
        if let next = nodes[node].next[letter.scalar] {
          node = next
        } else {
          nodes.append(Node())
          nodes[node].next[letter.scalar] = nodes.count - 1
          node = nodes.count - 1
        }
      }
      nodes[node].entries.append(
        Entry(runs: key.letters.map(\.count), isStem: key.isStem, language: key.language, meaning: meaning))
    }
    self.nodes = nodes
    self.harmless = harmless
    version = "\(Self.scheme).\(String(UInt64(bitPattern: hash.value), radix: 16))"
  }

  /// The ways to read an entry's text, the most natural one first.
  private static func forms(
    of text: String, _ error: (WordListError.Fault) -> WordListError
  ) throws(WordListError) -> (forms: [[ScannedText.Letter]], isStem: Bool, isPhrase: Bool) {
    let isStem = text.hasSuffix("*")
    let plain = isStem ? String(text.dropLast()) : text
    // More bytes than any entry of so many letters has; what is looked at stays small.
    guard !plain.contains("*"), plain.utf8.count <= 16 * WordList.lengthLimit else { throw error(.text) }
    let scan = ScannedText(plain)
    var (natural, mapped): ([ScannedText.Letter], [ScannedText.Letter]) = ([], [])
    for (index, word) in scan.words.enumerated() {
      if index > 0 {
        natural.append(ScannedText.Letter(scalar: space, count: 1))
        mapped.append(ScannedText.Letter(scalar: space, count: 1))
      }
      natural += scan.letters[word.letters]
      mapped += scan.lettersInLatin(of: word)
    }
    let hasLetter = natural.contains { letter in
      Unicode.Scalar(letter.scalar)?.properties.isAlphabetic ?? false
    }
    guard hasLetter, natural.count <= WordList.lengthLimit else { throw error(.text) }
    return (natural == mapped ? [natural] : [natural, mapped], isStem, scan.words.count > 1)
  }

  /// A word without case and what nobody sees, and otherwise as it was written.
  private static func asItStands(_ text: some StringProtocol) -> [UInt32] {
    var folding = FoldedScalars()
    var scalars: [UInt32] = []
    for scalar in text.unicodeScalars {
      folding.fold(scalar) { scalars.append($0.value) }
      // Longer than any entry: not one of them.
      if scalars.count > 16 * WordList.lengthLimit { break }
    }
    return scalars
  }

  /// Whether a word is listed as harmless.
  func isHarmless(_ word: Substring, in language: String) -> Bool {
    if harmless.isEmpty { return false }
    let scalars = Self.asItStands(word)
    return harmless.contains(Harmless(scalars: scalars, language: nil))
      || harmless.contains(Harmless(scalars: scalars, language: language))
  }

  /// Finds the entries that the text has from one of its words on.
  /// - Parameter found: takes each, and the index of the word that it ends in.
  func look(at text: ScannedText, from first: Int, _ language: String, _ found: (Entry, _ last: Int) -> Void) {
    var walk = Walk()
    var index = first
    while step(&walk, text.letters[text.words[index].letters], language, { found($0, index) }) {
      index += 1
      guard index < text.words.count, let next = nodes[walk.node].next[Self.space] else { return }
      walk.node = next
      walk.runs.append(1)
    }
  }

  /// Finds the entries that one reading of a word has.
  func look(at reading: [ScannedText.Letter], _ language: String, _ found: (Entry) -> Void) {
    var walk = Walk()
    _ = step(&walk, reading[...], language, found)
  }

  private struct Walk {
    var node = 0
    var runs: [UInt32] = []
  }

  /// Goes on by the letters of a word.
  /// - Returns: whether there are longer entries.
  private func step(
    _ walk: inout Walk, _ letters: ArraySlice<ScannedText.Letter>, _ language: String, _ found: (Entry) -> Void
  ) -> Bool {
    for (index, letter) in letters.enumerated() {
      guard let next = nodes[walk.node].next[letter.scalar] else { return false }
      walk.node = next
      walk.runs.append(letter.count)
      let isEnd = index == letters.count - 1
      for entry in nodes[next].entries where entry.isStem || isEnd {
        // A run may be longer than in the list, not shorter: “as” is not what it would be with two s.
        let fits = zip(entry.runs, walk.runs).allSatisfy { $0 <= $1 }
        if fits, entry.language == nil || entry.language == language { found(entry) }
      }
    }
    return true
  }
}
