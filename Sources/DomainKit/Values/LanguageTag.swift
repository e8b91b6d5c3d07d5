import Base

/// A language as BCP 47 writes it: `en`, `pt-BR`, `zh-Hant-TW`.
///
/// Language, script, region and variants are read (RFC 5646 §2.1); extensions and private use are refused, as no text
/// depends on them. Whether the parts are registered is not looked up.
public enum LanguageTag {
  /// The tag in the customary case: language in lower case, script capitalised, region in capitals; nil if it is not
  /// well formed.
  public static func normalized(_ text: String) -> String? {
    var parts = text.split(separator: "-", omittingEmptySubsequences: false)[...]
    guard let language = parts.popFirst(), (2...3).contains(language.utf8.count), language.utf8.allSatisfy(isLetter)
    else { return nil }
    var result = language.lowercased()
    if let script = parts.first, script.utf8.count == 4, script.utf8.allSatisfy(isLetter) {
      parts.removeFirst()
      result += "-" + script.prefix(1).uppercased() + script.dropFirst().lowercased()
    }
    if let region = parts.first, isRegion(region) {
      parts.removeFirst()
      result += "-" + region.uppercased()
    }
    for variant in parts {
      guard isVariant(variant) else { return nil }
      result += "-" + variant.lowercased()
    }
    return result
  }

  private static func isRegion(_ part: Substring) -> Bool {
    part.utf8.count == 2 ? part.utf8.allSatisfy(isLetter) : part.utf8.count == 3 && part.utf8.allSatisfy(isDigit)
  }

  private static func isVariant(_ part: Substring) -> Bool {
    guard let first = part.utf8.first, part.utf8.allSatisfy({ isLetter($0) || isDigit($0) }) else { return false }
    return (5...8).contains(part.utf8.count) || (part.utf8.count == 4 && isDigit(first))
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
