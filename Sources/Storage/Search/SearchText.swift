internal import Foundation

/// Cuts a text into the words that are searched for: without accents, case and width, in any script.
///
/// Compatibility decomposition, accents of Latin, Greek, Cyrillic, Hebrew and Arabic removed, case folded. Scripts that
/// do not part words (Han, kana, Thai and the like), and Hangul, whose particles stick to words, become pairs of
/// neighbouring characters.
enum SearchText {
  /// What a text is cut for.
  enum Purpose {
    /// Single characters of unspaced scripts are words too.
    case index
    /// They are only where they stand alone.
    case query
  }

  struct Word: Equatable {
    let text: String
    /// Whether it is a pair or single character of an unspaced script, which nobody wants to be suggested.
    let isFragment: Bool
  }

  private enum Class { case letter, unspaced, joiner, gap }

  /// The words of a text in order, at most `limit`.
  static func words(_ text: String, for purpose: Purpose, limit: Int) -> [Word] {
    var words: [Word] = []
    var run: [Unicode.Scalar] = []
    var isUnspaced = false
    func flush() {
      defer { run.removeAll(keepingCapacity: true) }
      guard !run.isEmpty, words.count < limit else { return }
      if isUnspaced {
        if run.count == 1 || purpose == .index { words += run.map { Word(text: String($0), isFragment: true) } }
        words += zip(run, run.dropFirst()).map { Word(text: String($0) + String($1), isFragment: true) }
      } else {
        words.append(Word(text: joined(run), isFragment: false))
      }
    }
    func joined(_ scalars: [Unicode.Scalar]) -> String {
      var view = String.UnicodeScalarView()
      view.append(contentsOf: scalars)
      return String(view)
    }
    for scalar in folded(text) {
      if words.count >= limit { break }
      switch kind(of: scalar) {
      case .joiner: continue
      case .gap: flush()
      case .letter:
        if isUnspaced { flush() }
        isUnspaced = false
        // The tail of a longer word is passed over.
        if run.count < SearchLimits.wordLength { run.append(scalar) }
      case .unspaced:
        if !isUnspaced { flush() }
        isUnspaced = true
        run.append(scalar)
        // A long run is cut with one character in common, so that no pair is missing.
        if run.count == 1024 {
          flush()
          run = [scalar]
        }
      }
    }
    flush()
    return Array(words.prefix(limit))
  }

  private static func folded(_ text: String) -> [Unicode.Scalar] {
    if text.utf8.allSatisfy({ $0 < 0x80 }) {
      return text.utf8.map { byte in
        Unicode.Scalar(byte &- UInt8(ascii: "A") < 26 ? byte + 32 : byte)
      }
    }
    var kept = String.UnicodeScalarView()
    for scalar in text.decomposedStringWithCompatibilityMapping.unicodeScalars where !isAccent(scalar.value) {
      switch scalar {
      case "ß", "ẞ": kept.append(contentsOf: "ss".unicodeScalars)
      case "ς", "Σ": kept.append("σ")
      case "ı": kept.append("i")
      case "ø", "Ø": kept.append("o")
      case "ł", "Ł": kept.append("l")
      case "æ", "Æ": kept.append(contentsOf: "ae".unicodeScalars)
      default:
        for lower in scalar.properties.lowercaseMapping.unicodeScalars where !isAccent(lower.value) {
          kept.append(lower)
        }
      }
    }
    // Hangul syllables and voiced kana become one character again.
    return Array(String(kept).precomposedStringWithCanonicalMapping.unicodeScalars)
  }

  private static func isAccent(_ value: UInt32) -> Bool {
    switch value {
    case 0x300...0x36f, 0x483...0x487, 0x591...0x5c7, 0x610...0x61a, 0x64b...0x65f, 0x670: true
    default: false
    }
  }

  private static func kind(of scalar: Unicode.Scalar) -> Class {
    switch scalar.value {
    case 0x30...0x39, 0x61...0x7a: return .letter
    case 0x27, 0x2019, 0x00ad, 0x200b...0x200d: return .joiner
    case 0...0x7f: return .gap
    case 0x0e00...0x0eff, 0x1000...0x109f, 0x1780...0x17ff, 0x3040...0x30ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
      0xac00...0xd7af, 0xf900...0xfaff, 0x20000...0x3ffff:
      return .unspaced
    default: break
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
      .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber:
      return .letter
    default: return .gap
    }
  }

  /// The first seven characters, in which errors are looked for by what is left without them.
  static func beginning(of word: String) -> String { String(word.prefix(7)) }

  /// What is left of the beginning of a word when up to `edits` characters are taken out of it: two words within `edits`
  /// changes of each other have one of these in common (the symmetric deletes of SymSpell, W. Garbe, 2012).
  static func remainders(_ word: String, edits: Int) -> Set<String> {
    var all: Set<String> = [beginning(of: word)]
    var last = all
    for _ in 0..<edits {
      var next: Set<String> = []
      for text in last {
        for index in text.indices {
          var shorter = text
          shorter.remove(at: index)
          if !shorter.isEmpty { next.insert(shorter) }
        }
      }
      all.formUnion(next)
      last = next
    }
    return all
  }

  /// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment); a wrong
  /// first character counts twice.
  static func distance(_ a: String, _ b: String) -> Int {
    // Octets are found sooner than characters, and most words have one for each.
    let areASCII = a.utf8.allSatisfy { $0 < 0x80 } && b.utf8.allSatisfy { $0 < 0x80 }
    return areASCII ? distance(Array(a.utf8), Array(b.utf8)) : distance(Array(a), Array(b))
  }

  private static func distance<Letter: Equatable>(_ a: [Letter], _ b: [Letter]) -> Int {
    if a.isEmpty || b.isEmpty { return a.count + b.count }
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i]
      for j in 1...b.count {
        var best = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, beforeLast[j - 2] + 1) }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count] + (a[0] == b[0] ? 0 : 1)
  }

  /// How many changes a word may have and still be meant.
  static func typosAllowed(_ word: String) -> Int {
    switch word.count {
    case ...4: 0
    case ...8: 1
    default: 2
    }
  }
}
