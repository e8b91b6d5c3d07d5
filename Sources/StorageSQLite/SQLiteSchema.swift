internal import Storage

/// From the common dialect of migrations to SQLite's, and from SQLite's catalogue to text.
enum SQLiteSchema {
  /// Makes each new table STRICT, so that SQLite refuses what a column of another engine would refuse.
  static func translated(_ statement: String) -> String {
    var words: [String] = []
    _ = SQLText.replacingWords(statement) { word in
      words.append(word)
      return nil
    }
    guard words.starts(with: ["CREATE", "TABLE"]), words.last != "STRICT" else { return statement }
    return statement + (words.suffix(2) == ["WITHOUT", "ROWID"] ? ", STRICT" : " STRICT")
  }

  /// Every table, index and view, by name. SQLite's own objects are left out.
  static func text(_ reader: any Reader) throws -> String {
    let statements: [String] = try reader.rows(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ) { $0[0] }
    return statements.map { $0 + ";\n" }.joined(separator: "\n")
  }
}
