/// Judges how toxic a text is. The server comes with one that counts words (`WordScorer`); another one may ask a model.
public protocol ToxicityScorer: Sendable {
  /// Judges a text.
  /// - Parameter language: the language that the text is probably in, a BCP 47 tag; empty if nobody knows.
  /// - Throws: anything, if there is no judgement; `judge` turns that into one.
  func score(_ text: String, language: String) async throws -> ToxicityScore
}

extension ToxicityScorer {
  /// Judges a text, whatever happens: one that could not be judged is shown and looked at by people.
  public func judge(_ text: String, language: String) async -> ToxicityScore {
    do {
      return try await score(text, language: language)
    } catch {
      return .failure
    }
  }
}

/// How toxic a text is.
public struct ToxicityScore: Sendable, Equatable {
  /// From this value on a text is looked at by people.
  public static let reviewed = 500
  /// From this value on a text is refused, or held until somebody has looked at it.
  public static let refused = 800
  /// Of what has no words.
  public static let nothing = ToxicityScore(value: 0, categories: [], version: "")
  /// Of a text that could not be judged.
  public static let failure = ToxicityScore(value: reviewed, categories: [], version: "failed")

  /// 0 for harmless to 1000.
  public let value: Int
  /// What was found.
  public let categories: ToxicityCategories
  /// Who judged: scorers and their words change, and decisions are kept.
  public let version: String

  public init(value: Int, categories: ToxicityCategories, version: String) {
    precondition((0...1000).contains(value), "a score is 0 to 1000")
    self.value = value
    self.categories = categories
    self.version = version
  }

  /// What follows from the value.
  public var verdict: ToxicityVerdict {
    if value >= Self.refused { return .refused }
    return value >= Self.reviewed ? .reviewed : .harmless
  }
}

/// What follows from a score.
public enum ToxicityVerdict: Sendable {
  case harmless
  /// Shown, and looked at by people.
  case reviewed
  /// Not shown.
  case refused
}

/// What can be wrong with a text.
public struct ToxicityCategories: OptionSet, Sendable, Hashable {
  public let rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }

  /// Says that somebody is contemptible.
  public static let insult = ToxicityCategories(rawValue: 1)
  /// Coarse words, at nobody.
  public static let profanity = ToxicityCategories(rawValue: 2)
  /// Wishes or announces harm.
  public static let threat = ToxicityCategories(rawValue: 4)
  /// Against people for what they are.
  public static let hate = ToxicityCategories(rawValue: 8)
  /// Sexual and unasked for.
  public static let sexual = ToxicityCategories(rawValue: 16)

  /// Each category with its name in word lists.
  public static let named: [(name: String, category: ToxicityCategories)] = [
    ("insult", .insult), ("profanity", .profanity), ("threat", .threat), ("hate", .hate), ("sexual", .sexual),
  ]

  /// The names of those that are in it.
  public var names: [String] { Self.named.filter { contains($0.category) }.map(\.name) }
}
