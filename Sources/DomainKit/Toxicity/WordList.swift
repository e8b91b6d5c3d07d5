import Base

/// Words that make texts toxic, in one language. Moderators keep some of their own on top of those that the server
/// comes with.
public struct WordList: Sendable, Equatable {
  /// The primary subtag of the language, such as `de`.
  public var language: String
  public var words: [ListedWord]

  public init(language: String, words: [ListedWord]) {
    self.language = language
    self.words = words
  }
}

/// A word or phrase of a list.
public struct ListedWord: Sendable, Equatable {
  /// Words of one line. A star at the end stands for any further letters of the last word. Case, accents, look-alike
  /// letters and repeats are undone.
  public var text: String
  /// 1 to 1000, or 0: this very word is harmless, also if it looks like another one.
  public var weight: Int
  public var category: ToxicityCategories
  /// Whether texts in other languages may hold it and mean something else.
  public var isOnlyInLanguage: Bool

  public init(_ text: String, weight: Int, category: ToxicityCategories, isOnlyInLanguage: Bool = false) {
    self.text = text
    self.weight = weight
    self.category = category
    self.isOnlyInLanguage = isOnlyInLanguage
  }
}

/// Takes the moderators' lists. Their keeper gives all of them at the start, and again after each change on any node.
public protocol WordLists: Sendable {
  /// Uses these on top of the words that the server comes with, and none that were given before. An entry replaces an
  /// earlier one of the same text.
  /// - Throws: `WordListError`; then the lists before stay in use.
  func use(_ lists: [WordList]) throws(WordListError)
}

/// Why a word list cannot be used.
public struct WordListError: Error, Sendable, Equatable {
  public enum Fault: Sendable, Equatable {
    /// The language is not a primary subtag: two or three small letters.
    case language
    /// There are more entries than `WordList.entryLimit` in all lists.
    case tooMany
    /// The text has no letter, more than `WordList.lengthLimit` letters, or a star that is not at its end.
    case text
    /// The weight is not 0 to 1000, or a weight of 0 is given to a phrase.
    case weight
    /// Not exactly one category.
    case category
  }

  public let fault: Fault
  /// The index of the list, and of the word in it if it is a word's fault.
  public let list: Int
  public let word: Int?

  public init(_ fault: Fault, list: Int, word: Int? = nil) {
    self.fault = fault
    self.list = list
    self.word = word
  }
}

extension WordList {
  /// Entries of all the lists that are used at once; each costs about a kilobyte.
  public static let entryLimit = 20_000
  /// The longest word or phrase in letters, spaces among them. No word has more; it also bounds what looking at one
  /// word of a text costs.
  public static let lengthLimit = 64

  /// Reads the file of words that the server comes with.
  static func parse(_ text: String) -> (lists: [WordList], negations: [String]) {
    var lists: [WordList] = []
    var negations: [String] = []
    var section: (language: String, kind: Substring) = ("", "")
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      if line.hasPrefix("["), line.hasSuffix("]") {
        let parts = line.dropFirst().dropLast().split(separator: " ")
        section = (String(parts[0]), parts.count > 1 ? parts[1] : "")
        lists.append(WordList(language: section.language, words: []))
      } else if section.kind == "negations" {
        negations.append(String(line))
      } else {
        let parts = line.split(separator: " ", maxSplits: 2)
        precondition(parts.count == 3, "not a line of a word list: \(line)")
        let category = ToxicityCategories.named.first { $0.name == parts[1] }?.category
        guard let weight = Int(parts[0]), let category else { preconditionFailure("not a word of a list: \(line)") }
        lists[lists.count - 1].words.append(
          ListedWord(
            String(parts[2]), weight: weight, category: category, isOnlyInLanguage: section.kind == "only"))
      }
    }
    return (lists, negations)
  }
}
