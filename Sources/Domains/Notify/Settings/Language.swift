import DomainKit

/// Which language to look for.
enum Language {
  /// The one that all kinds of notices have words in.
  static let fallback = "en"

  /// What to look for, in this order: the tag, its shorter forms, English.
  static func candidates(_ tag: String) -> [String] {
    var words = tag.split(separator: "-")
    var found: [String] = []
    while !words.isEmpty {
      found.append(words.joined(separator: "-"))
      words.removeLast()
    }
    return found.contains(fallback) ? found : found + [fallback]
  }
}
