import Base
import DomainKit
import Storage

/// A row of `notify_templates`.
struct TemplateRow: Sendable {
  let words: NoticeWords
  let version: Int64

  /// What was written for a kind, by language.
  static func all(of kind: String, in reader: any Reader) throws -> [String: TemplateRow] {
    let rows: [(String, TemplateRow)] = try reader.rows(
      "SELECT language, title, text, version FROM notify_templates WHERE kind = $1", kind
    ) { ($0[0], TemplateRow(words: NoticeWords($0[1], $0[2]), version: $0[3])) }
    return Dictionary(uniqueKeysWithValues: rows)
  }
}
