import Testing

@testable import Storage

/// Where a step is cut, so that others can write.
@Suite struct MigrationPartsTests {
  @Test func `indexes of tables that are there are parts of their own, all else is done with its neighbours`() {
    let step = Migration(
      "parts", 1, "parts",
      sql: """
        CREATE TABLE new (id INTEGER PRIMARY KEY);
        CREATE INDEX new_id ON new (id);
        CREATE INDEX IF NOT EXISTS old_id ON old (id, "order")
          WHERE kind = 'CREATE INDEX';
        CREATE INDEX
          older_id ON older(id);
        DROP INDEX old_name;
        CREATE UNIQUE INDEX old_key ON old (key);
        """)
    let first = ["CREATE TABLE new (id INTEGER PRIMARY KEY)", "CREATE INDEX new_id ON new (id)"]
    let last = ["DROP INDEX old_name", "CREATE UNIQUE INDEX old_key ON old (key)"]
    let parts = step.parts
    #expect(parts.count == 4 && parts.first == .statements(first) && parts.last == .statements(last))
    let indexes: [[String]] = parts.dropFirst().dropLast().map { part -> [String] in
      if case .index(let index) = part { [index.name, index.table, index.definition] } else { [] }
    }
    let definition = "(id, \"order\")\n  WHERE kind = 'CREATE INDEX'"
    #expect(indexes == [["old_id", "old", definition], ["older_id", "older", "(id)"]])
  }
}
