import Base
import DomainKit
import ProtobufRuntime
import SocialAPI
import Storage

/// Keeps the moderators' words, and has the scorer use them.
final class WordKeeper: Sendable {
  private let lists: any WordLists
  private let limit: Int
  /// Which state of the table the scorer has.
  private let loaded = Locked<[String: Int64]?>(nil)

  /// - Parameter limit: words of all lists together.
  init(_ lists: any WordLists, limit: Int) {
    self.lists = lists
    self.limit = limit
  }

  /// Looks whether a list can be used.
  /// - Throws: `SocialError.badWordList`.
  static func check(_ list: SocialAPI.WordList) throws(SocialError) {
    do throws(WordListError) {
      try WordScorer().use([DomainKit.WordList(list)])
    } catch {
      throw .badWordList(error)
    }
  }

  /// Stores a list in the place of the version that its etag names.
  /// - Throws: `KitError.etagMismatch`, `.limitExceeded`.
  func put(
    _ list: SocialAPI.WordList, by moderator: Identifier, at now: Instant, in writer: any Writer
  ) throws -> SocialAPI.WordList {
    let others: Int? = try writer.first(
      "SELECT CAST(SUM(word_count) AS BIGINT) FROM social_word_lists WHERE language <> $1", list.language
    ) { $0[0] as Int? ?? 0 }
    guard (others ?? 0) + list.words.count <= limit else { throw KitError.limitExceeded }
    var list = list
    let old = list.etag.isEmpty ? 0 : Int64(list.etag) ?? -1
    list.etag = ""
    list.unknownFields = UnknownFields()
    let written =
      old == 0
      ? try writer.execute(
        """
        INSERT INTO social_word_lists (language, content, word_count, version, changed_at, changed_by)
        VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (language) DO NOTHING
        """, list.language, list.encoded(), list.words.count, now, moderator)
      : try writer.execute(
        """
        UPDATE social_word_lists
        SET content = $2, word_count = $3, version = version + 1, changed_at = $4, changed_by = $5
        WHERE language = $1 AND version = $6
        """, list.language, list.encoded(), list.words.count, now, moderator, old)
    guard written == 1 else { throw KitError.etagMismatch }
    list.etag = String(old + 1)
    return list
  }

  /// Has the scorer use what is in the table, if that has changed.
  func load(from database: any Database) async throws {
    let rows: [(list: SocialAPI.WordList, version: Int64)] = try await database.read { [loaded] reader in
      let versions: [(String, Int64)] = try reader.rows("SELECT language, version FROM social_word_lists") {
        ($0[0], $0[1])
      }
      let present = Dictionary(uniqueKeysWithValues: versions)
      if loaded.withLock({ $0 == present }) { return [] }
      return try reader.rows("SELECT content, version FROM social_word_lists ORDER BY language") {
        (try SocialAPI.WordList(decoding: $0[0]), $0[1])
      }
    }
    if rows.isEmpty { return }
    try lists.use(rows.map { DomainKit.WordList($0.list) })
    loaded.withLock { $0 = Dictionary(uniqueKeysWithValues: rows.map { ($0.list.language, $0.version) }) }
  }
}

extension DomainKit.WordList {
  init(_ list: SocialAPI.WordList) {
    self.init(
      language: list.language,
      words: list.words.map { word in
        ListedWord(
          word.text, weight: Int(word.weight), category: ToxicityCategories(word.category),
          isOnlyInLanguage: word.onlyInLanguage)
      })
  }
}

extension ToxicityCategories {
  fileprivate init(_ category: ToxicCategory) {
    switch category {
    case .insult: self = .insult
    case .profanity: self = .profanity
    case .threat: self = .threat
    case .hate: self = .hate
    case .sexual: self = .sexual
    case .unspecified, .unrecognized: self = []
    }
  }
}
