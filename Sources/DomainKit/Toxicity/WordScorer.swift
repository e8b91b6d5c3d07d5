import Base

/// Judges texts by the words in them: 1000·(1 − Π(1 − w/1000)) over the weights of what is found. What is negated within
/// the three words before it, or stands in quotation marks, counts half.
///
/// Time and memory are in proportion to the text's length, whatever it holds. Safe to share between threads.
public final class WordScorer: ToxicityScorer, WordLists {
  /// The longest text in bytes of UTF-8. One more cannot be judged.
  public static let textLimit = 1 << 20
  /// How many words a negation reaches.
  private static let negationReach = 3

  private static let builtIn = WordList.parse(String(decoding: PackageResources.words_txt, as: UTF8.self))

  private static let builtInLexicon: Lexicon = {
    do throws(WordListError) {
      return try Lexicon(builtIn.lists, negations: builtIn.negations)
    } catch {
      preconditionFailure("the server's own words: \(error)")
    }
  }()

  private let lexicon: Locked<Lexicon>

  /// With the words that the server comes with.
  public init() {
    lexicon = Locked(Self.builtInLexicon)
  }

  public func use(_ lists: [WordList]) throws(WordListError) {
    let next = try Self.lexicon(lists)
    lexicon.withLock { $0 = next }
  }

  private static func lexicon(_ lists: [WordList]) throws(WordListError) -> Lexicon {
    do throws(WordListError) {
      return try Lexicon(builtIn.lists + lists, negations: builtIn.negations)
    } catch {
      throw WordListError(error.fault, list: error.list - builtIn.lists.count, word: error.word)
    }
  }

  public func score(_ text: String, language: String) throws -> ToxicityScore {
    guard text.utf8.count <= Self.textLimit else { throw TextTooLong() }
    let lexicon = lexicon.withLock { $0 }
    let primary = language.prefix { $0 != "-" }.lowercased()
    let scan = ScannedText(text)
    var innocence = 1.0
    var categories: ToxicityCategories = []
    /// The last word of the newest negation in this part of the sentence.
    var negation: Int?
    for (index, word) in scan.words.enumerated() {
      if word.isAfterBreak, let end = negation, end < index { negation = nil }
      var worst: (weight: Int, category: ToxicityCategories, last: Int)?
      var negationEnd: Int?
      func note(_ entry: Lexicon.Entry, _ last: Int) {
        switch entry.meaning {
        case .negation: negationEnd = max(negationEnd ?? last, last)
        case .toxic(let weight, let category):
          if weight > worst?.weight ?? 0 { worst = (weight, category, last) }
        }
      }
      lexicon.look(at: scan, from: index, primary, note)
      for reading in scan.otherReadings(of: word) {
        lexicon.look(at: reading, primary) { entry in
          if case .toxic = entry.meaning { note(entry, index) }
        }
      }
      if let worst, !isHarmless(word, worst.last == index, text, lexicon, primary) {
        let isNegated = negation.map { $0 < index && index - $0 <= Self.negationReach } ?? false
        let weight = Double(worst.weight) / (isNegated || scan.isQuoted(word) ? 2 : 1)
        innocence *= 1 - weight / 1000
        categories.formUnion(worst.category)
      }
      negation = negationEnd ?? negation
    }
    return ToxicityScore(
      value: Int((1000 * (1 - innocence)).rounded()), categories: categories, version: lexicon.version)
  }

  /// Whether what was found is one word, and that word is listed as harmless as it is written.
  private func isHarmless(
    _ word: ScannedText.Word, _ isOneWord: Bool, _ text: String, _ lexicon: Lexicon, _ language: String
  ) -> Bool {
    guard isOneWord else { return false }
    let utf8 = text.utf8
    let start = utf8.index(utf8.startIndex, offsetBy: word.source.lowerBound)
    let end = utf8.index(start, offsetBy: word.source.count)
    return lexicon.isHarmless(text[start..<end], in: language)
  }
}

/// The text is longer than `WordScorer.textLimit`.
public struct TextTooLong: Error, Equatable {}
