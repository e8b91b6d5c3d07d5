import Storage

/// The tables of the search domain; the index itself is in those of `Storage.SearchSchema`.
enum SearchTables {
  static let migrations = [
    Migration(
      "search_domain", 1, "generations of the index, what hits show",
      sql: """
        -- state: 1 searched, 2 being built, 3 to be removed. kinds: those it was built with. kind and after: how far it
        -- was built; both null when all was looked at.
        -- local: a handful of rows
        CREATE TABLE search_generations (
          generation INTEGER PRIMARY KEY,
          state INTEGER NOT NULL,
          kinds TEXT NOT NULL,
          started_at INTEGER NOT NULL,
          live_at INTEGER,
          kind TEXT,
          after INTEGER NOT NULL,
          looked_at INTEGER NOT NULL
        );
        INSERT INTO search_generations (generation, state, kinds, started_at, live_at, kind, after, looked_at)
          VALUES (1, 1, '', 0, 0, NULL, 0, 0);

        -- What a hit shows. digest: of all that the index was given, or empty until it was.
        -- distributed by document
        CREATE TABLE search_rows (
          document INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          kind TEXT NOT NULL,
          title TEXT NOT NULL,
          summary TEXT NOT NULL,
          digest BLOB NOT NULL,
          PRIMARY KEY (document, generation)
        ) WITHOUT ROWID;
        CREATE INDEX search_rows_by_generation ON search_rows (generation, document);
        """),
    Migration(
      "search_domain", 2, "the first index has no beginning",
      sql: "UPDATE search_generations SET live_at = NULL WHERE generation = 1 AND live_at = 0"),
  ]
}
