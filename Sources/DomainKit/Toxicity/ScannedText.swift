import Normalization

/// A text as the words that it says, whatever was done to hide them. Made in time in proportion to the text's length.
struct ScannedText {
  /// A letter, and how often it stands in a row.
  struct Letter: Hashable {
    var scalar: UInt32
    var count: UInt32
  }

  /// Quotation marks up to some place. They belong together in pairs, so the last of an odd number quotes nothing.
  struct QuotationMarks {
    var double = 0
    var single = 0
  }

  struct Word {
    /// Its scalars in `scalars`, before look-alikes are undone.
    var raw: Range<Int>
    /// Where it is in the text's UTF-8.
    var source: Range<Int>
    /// Whether a comma, the end of a sentence or of a line stands before it.
    var isAfterBreak: Bool
    /// The marks that stand before it.
    var marks: QuotationMarks
    /// Its letters in `letters`.
    var letters: Range<Int> = 0..<0
  }

  private(set) var scalars: [UInt32] = []
  private(set) var words: [Word] = []
  private(set) var letters: [Letter] = []
  private var marks = QuotationMarks()

  /// Letters that are read apart count as a word from this many on: `i d i o t`.
  private static let leastSpelled = 4

  init(_ text: String) {
    var origins: [Int] = []
    fold(text, origins: &origins)
    split(origins)
    joinSpelled()
    for index in words.indices {
      let start = letters.count
      let raw = words[index].raw
      Self.append(scalars[raw], LetterForm(of: scalars[raw]), to: &letters)
      words[index].letters = start..<letters.count
    }
  }

  func isQuoted(_ word: Word) -> Bool {
    word.marks.double % 2 == 1 && word.marks.double < marks.double
      || word.marks.single % 2 == 1 && word.marks.single < marks.single
  }

  /// The other ways to read a word, beside `letters`.
  func otherReadings(of word: Word) -> [[Letter]] {
    let raw = scalars[word.raw]
    let form = LetterForm(of: raw)
    var readings: [[Letter]] = []
    func add(_ scalars: ArraySlice<UInt32>, _ form: LetterForm) {
      var reading: [Letter] = []
      Self.append(scalars, form, to: &reading)
      readings.append(reading)
    }
    if form.hasStrokes {
      var tall = form
      tall.one = LookAlikes.value("l")
      add(raw, tall)
    }
    if form.endsInDigits, let last = raw.lastIndex(where: { !Self.isDigit($0) }) { add(raw[...last], form) }
    if form.isAllAlike {
      var mapped = form
      mapped.mapsScripts = true
      add(raw, mapped)
    }
    return readings
  }

  /// The letters of a word, with those of other alphabets taken for the Latin ones that they look like.
  func lettersInLatin(of word: Word) -> [Letter] {
    let raw = scalars[word.raw]
    var form = LetterForm(of: raw)
    form.mapsScripts = true
    var letters: [Letter] = []
    Self.append(raw, form, to: &letters)
    return letters
  }

  /// Appends the letters of a word, each run as one, and no more of them than a listed word can have.
  private static func append(_ raw: ArraySlice<UInt32>, _ form: LetterForm, to letters: inout [Letter]) {
    let end = letters.count + WordList.lengthLimit + 1
    var isFirst = true
    for scalar in raw {
      let letter = form.read(scalar)
      if !isFirst, letters[letters.count - 1].scalar == letter {
        letters[letters.count - 1].count += 1
        continue
      }
      if letters.count == end { return }
      letters.append(Letter(scalar: letter, count: 1))
      isFirst = false
    }
  }

  // MARK: Taking apart

  /// Fills `scalars` with the letters and signs of the text, and `origins` with where in its UTF-8 each begins.
  private mutating func fold(_ text: String, origins: inout [Int]) {
    var folding = FoldedScalars()
    var offset = 0
    var found: [UInt32] = []
    for scalar in text.unicodeScalars {
      found.removeAll(keepingCapacity: true)
      folding.fold(scalar) { part in
        if !Self.isDropped(part) { found.append(LookAlikes.anywhere(part.value)) }
      }
      for part in found {
        scalars.append(part)
        origins.append(offset)
      }
      offset += UTF8.width(scalar)
    }
    origins.append(offset)
  }

  /// Accents, strokes and vowel points, control characters, the Arabic filler. Marks that are letters of their own kind,
  /// as in Devanagari, Thai and Japanese, stay.
  private static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value < 0x20 && !isLineSpace(scalar.value) || scalar.value == 0x7F }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .enclosingMark, .control: return true
    case .nonspacingMark:
      let place = properties.canonicalCombiningClass.rawValue
      return place == 1 || (10..<100).contains(place) || place >= 200
    case .modifierLetter: return scalar == "\u{640}"
    default: return false
    }
  }

  private enum Part {
    case letter
    /// A word of its own, in scripts without spaces.
    case ideograph
    case digit, sign, quotation, apostrophe, pause, other
  }

  private static func part(_ scalar: UInt32) -> Part {
    if scalar < 0x80 {
      switch Unicode.Scalar(UInt8(scalar)) {
      case "a"..."z": return .letter
      case "0"..."9": return .digit
      case "@", "$", "!", "|": return .sign
      case "\"": return .quotation
      case "'", "`": return .apostrophe
      case ".", ",", "?", ";", ":", "\n", "\r": return .pause
      default: return .other
      }
    }
    guard let whole = Unicode.Scalar(scalar) else { return .other }
    switch whole {
    case "“", "”", "„", "‟", "«", "»", "「", "」", "『", "』", "〝", "〞": return .quotation
    case "‘", "’", "‚", "‛", "‹", "›": return .apostrophe
    case "。", "、", "،", "؟", "¿", "¡", "।", "\u{2028}", "\u{2029}", "\u{85}": return .pause
    default: break
    }
    if whole.properties.isIdeographic || (0x3040...0x30FF).contains(scalar) { return .ideograph }
    switch whole.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .nonspacingMark, .spacingMark:
      return .letter
    default: return .other
    }
  }

  private static func isLineSpace(_ scalar: UInt32) -> Bool { (0x09...0x0D).contains(scalar) }

  static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }

  /// Finds the words.
  private mutating func split(_ origins: [Int]) {
    var start: Int?
    var isAfterBreak = true
    var previous = Part.other
    var current = scalars.first.map(Self.part) ?? .other
    for index in scalars.indices {
      let following = index + 1 < scalars.count ? Self.part(scalars[index + 1]) : .other
      let belongs =
        switch current {
        case .letter, .digit: true
        case .sign: Self.belongs(scalars[index], isInside: start != nil, next: following)
        default: false
        }
      if !belongs, let first = start {
        append(first..<index, origins, &isAfterBreak)
        start = nil
      }
      switch current {
      case _ where belongs: start = start ?? index
      case .ideograph: append(index..<index + 1, origins, &isAfterBreak)
      case .pause: isAfterBreak = true
      case .sign where scalars[index] == LookAlikes.value("!"): isAfterBreak = true
      case .quotation: marks.double += 1
      case .apostrophe: noteApostrophe(between: previous, following)
      default: break
      }
      previous = current
      current = following
    }
    if let first = start { append(first..<scalars.count, origins, &isAfterBreak) }
  }

  private mutating func append(_ raw: Range<Int>, _ origins: [Int], _ isAfterBreak: inout Bool) {
    words.append(
      Word(
        raw: raw, source: origins[raw.lowerBound]..<origins[raw.upperBound], isAfterBreak: isAfterBreak, marks: marks))
    isAfterBreak = false
  }

  /// As quotation marks, apostrophes stand outside of a word; all others are part of one.
  private mutating func noteApostrophe(between previous: Part, _ following: Part) {
    let isOpen = marks.single % 2 == 1
    let opens = !isOpen && previous != .letter && previous != .digit && following == .letter
    let closes = isOpen && following != .letter && previous != .other
    if opens || closes { marks.single += 1 }
  }

  /// Whether a sign is written in place of a letter.
  private static func belongs(_ sign: UInt32, isInside: Bool, next: Part) -> Bool {
    switch Unicode.Scalar(sign) {
    case "@": next == .letter || isInside && next == .digit
    case "$": isInside || next == .letter
    default: isInside && (next == .letter || next == .digit)
    }
  }

  /// Makes one word of letters that stand apart.
  private mutating func joinSpelled() {
    var joined: [Word] = []
    var index = 0
    while index < words.count {
      var end = index
      while end < words.count, words[end].raw.count == 1,
        end == index || words[end].raw.lowerBound == words[end - 1].raw.upperBound + 1
      {
        end += 1
      }
      if end - index >= Self.leastSpelled {
        let start = scalars.count
        for word in words[index..<end] { scalars.append(scalars[word.raw.lowerBound]) }
        var whole = words[index]
        whole.raw = start..<scalars.count
        whole.source = whole.source.lowerBound..<words[end - 1].source.upperBound
        joined.append(whole)
        index = end
      } else {
        let next = max(end, index + 1)
        joined.append(contentsOf: words[index..<next])
        index = next
      }
    }
    words = joined
  }
}

/// How the scalars of one word are read as letters.
struct LetterForm {
  /// Whether letters of other alphabets are taken for Latin ones.
  var mapsScripts = false
  /// What a stroke is taken for.
  var one = LookAlikes.value("i")
  private(set) var hasStrokes = false
  private(set) var endsInDigits = false
  /// Whether it has no Latin letter and each of its letters looks like one.
  private(set) var isAllAlike = false
  private var hasLetters = false

  /// The most natural reading of a word.
  init(of raw: ArraySlice<UInt32>) {
    var (hasLatin, hasSigns, hasForeign, hasOther) = (false, false, false, false)
    for scalar in raw {
      switch scalar {
      case LookAlikes.value("a")...LookAlikes.value("z"): hasLatin = true
      case 0..<0x80:
        hasSigns = true
        if LookAlikes.isStroke(scalar) { hasStrokes = true }
      default:
        if LookAlikes.inMixedWord(scalar) != nil { hasForeign = true } else { hasOther = true }
      }
    }
    hasLetters = hasLatin || hasForeign || hasOther
    hasStrokes = hasStrokes && hasLetters
    mapsScripts = hasForeign && (hasLatin || hasSigns)
    isAllAlike = hasForeign && !hasOther && !mapsScripts
    endsInDigits = hasLetters && raw.last.map { ScannedText.isDigit($0) } ?? false
  }

  /// The letter that a scalar stands for.
  func read(_ scalar: UInt32) -> UInt32 {
    if mapsScripts, let letter = LookAlikes.inMixedWord(scalar) { return letter }
    return hasLetters ? LookAlikes.inWordWithLetters(scalar, one: one) : scalar
  }
}
