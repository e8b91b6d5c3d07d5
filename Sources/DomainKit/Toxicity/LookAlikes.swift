/// Characters that are written in place of Latin letters. Compatibility decomposition has undone most of them before:
/// full-width, mathematical, circled, superscript. The pairs are a choice from the confusables that fonts draw alike.
enum LookAlikes {
  /// What stands for a Latin letter in any word: letters of their own that look like one with a stroke, small capitals,
  /// turned letters.
  static func anywhere(_ scalar: UInt32) -> UInt32 {
    guard scalar >= 0x80 else { return scalar }
    switch scalar {
    // Negative circled and squared capitals, and the letters that flags are made of.
    case 0x1F150...0x1F169: return scalar - 0x1F150 + smallA
    case 0x1F170...0x1F189: return scalar - 0x1F170 + smallA
    case 0x1F1E6...0x1F1FF: return scalar - 0x1F1E6 + smallA
    default: return latin[scalar] ?? scalar
    }
  }

  /// What a letter of another alphabet is taken for in a word that mixes it with Latin ones.
  static func inMixedWord(_ scalar: UInt32) -> UInt32? { foreign[scalar] }

  /// What a digit or a sign is taken for in a word that has letters too.
  /// - Parameter one: what the strokes that are both i and l are taken for.
  static func inWordWithLetters(_ scalar: UInt32, one: UInt32) -> UInt32 {
    guard scalar < 0x80 else { return scalar }
    return switch Unicode.Scalar(UInt8(scalar)) {
    case "0": value("o")
    case "1", "!", "|": one
    case "2": value("z")
    case "3": value("e")
    case "4", "@": value("a")
    case "5", "$": value("s")
    case "6", "9": value("g")
    case "7": value("t")
    case "8": value("b")
    default: scalar
    }
  }

  /// Whether a sign can be i as well as l.
  static func isStroke(_ scalar: UInt32) -> Bool {
    scalar == value("1") || scalar == value("!") || scalar == value("|")
  }

  static func value(_ scalar: Unicode.Scalar) -> UInt32 { scalar.value }

  private static let smallA = value("a")

  private static let latin = table([
    ("a", "ɑᴀɐ"), ("b", "ʙƀɓ"), ("c", "ᴄƈɔ"), ("d", "ᴅđɖɗ"), ("e", "ᴇɛǝəɘ"), ("f", "ꜰƒ"), ("g", "ɡɢɠ"), ("h", "ʜħɦ"),
    ("i", "ɪıɩɨ"), ("j", "ᴊʝ"), ("k", "ᴋƙ"), ("l", "ʟłɫɭƚ"), ("m", "ᴍɱ"), ("n", "ɴɲŋƞ"), ("o", "ᴏøɵ"), ("p", "ᴘƥ"),
    ("r", "ʀɾɽɹ"), ("s", "ꜱʂ"), ("t", "ᴛŧƭʈ"), ("u", "ᴜʊʉ"), ("v", "ᴠʋʌ"), ("w", "ᴡʍɯ"), ("y", "ʏƴ"), ("z", "ᴢƶʐ"),
  ])

  private static let foreign = table([
    // Cyrillic, as small letters and as the capitals that were folded to them.
    ("a", "а"), ("b", "вь"), ("c", "с"), ("d", "ԁ"), ("e", "еє"), ("h", "нһ"), ("i", "і"), ("j", "ј"), ("k", "к"),
    ("m", "м"), ("o", "о"), ("p", "р"), ("q", "ԛ"), ("s", "ѕ"), ("t", "т"), ("u", "ц"), ("v", "ѵ"), ("w", "шԝ"),
    ("x", "х"), ("y", "у"), ("r", "г"), ("n", "пи"),
    // Greek.
    ("a", "α"), ("b", "β"), ("e", "ε"), ("i", "ι"), ("k", "κ"), ("m", "μ"), ("n", "ηπ"), ("o", "οσ"), ("p", "ρ"),
    ("t", "τ"), ("u", "υ"), ("v", "ν"), ("w", "ω"), ("x", "χ"), ("y", "γ"), ("z", "ζ"),
    // Armenian.
    ("h", "հ"), ("n", "ո"), ("o", "օ"), ("s", "ս"), ("q", "զ"),
  ])

  private static func table(_ rows: [(Unicode.Scalar, String)]) -> [UInt32: UInt32] {
    var table: [UInt32: UInt32] = [:]
    for (letter, alike) in rows {
      for scalar in alike.unicodeScalars { table[scalar.value] = letter.value }
    }
    return table
  }
}
