import Storage
import Testing

@Suite struct SQLTextTests {
  @Test(arguments: [
    ("SELECT $1, $22", "SELECT ?1, ?22"),
    ("SELECT '$1', \"$2\", $3", "SELECT '$1', \"$2\", ?3"),
    ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', ?1"),
    ("SELECT $1 -- $2\n, $3", "SELECT ?1 -- $2\n, ?3"),
    ("SELECT /* $1 */ $2", "SELECT /* $1 */ ?2"),
    ("SELECT a$1, $x, $", "SELECT a$1, $x, $"),
    ("SELECT 'open $1", "SELECT 'open $1"),
    ("SELECT /* open $1", "SELECT /* open $1"),
    ("", ""),
  ])
  func `parameters are rewritten where they are parameters`(sql: String, expected: String) {
    #expect(SQLText.withNumberedParameters(sql) == expected)
  }

  @Test func `the highest parameter counts`() {
    #expect(SQLText.parameterCount("SELECT $2, '$9', $1") == 2)
    #expect(SQLText.parameterCount("SELECT 1") == 0)
  }

  @Test func `a script falls into its statements`() {
    let script = """
      -- What this is about; really.
      CREATE TABLE a (b TEXT DEFAULT ';'); /* ; */

      CREATE INDEX c ON a (b);;
      """
    #expect(SQLText.statements(script) == ["CREATE TABLE a (b TEXT DEFAULT ';')", "CREATE INDEX c ON a (b)"])
  }

  @Test func `whole words are replaced, outside of literals`() {
    let replaced = SQLText.replacingWords("INTEGER integer 'INTEGER' INTEGERS x1") { word in
      word == "INTEGER" ? "BIGINT" : nil
    }
    #expect(replaced == "BIGINT BIGINT 'INTEGER' INTEGERS x1")
  }

  @Test func `phrases are words with nothing but blanks between them`() {
    let phrases = [
      (words: ["INTEGER", "PRIMARY", "KEY"], replacement: "ID"), (words: ["INTEGER"], replacement: "BIGINT"),
    ]
    #expect(SQLText.replacingPhrases("a INTEGER  PRIMARY\n KEY, b INTEGER", phrases) == "a ID, b BIGINT")
    #expect(SQLText.replacingPhrases("a INTEGER, PRIMARY KEY (a)", phrases) == "a BIGINT, PRIMARY KEY (a)")
    #expect(SQLText.replacingPhrases("integer INTEGER", phrases) == "integer BIGINT")
    #expect(SQLText.replacingPhrases("a TEXT DEFAULT 'INTEGER'", phrases) == "a TEXT DEFAULT 'INTEGER'")
  }
}
