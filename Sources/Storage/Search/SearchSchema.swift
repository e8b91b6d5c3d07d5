/// The tables of search: an inverted index on ordinary tables, the same on every engine (docs/adr/0016).
public enum SearchSchema {
  public static let migrations: [Migration] = [
    Migration(
      "search", 1, "inverted index",
      sql: """
        -- What a document contributed: its terms with their impacts, and its numbers.
        -- distributed by collection
        CREATE TABLE octet_search_documents (
          collection INTEGER NOT NULL, document INTEGER NOT NULL, entry BLOB NOT NULL,
          PRIMARY KEY (collection, document)) WITHOUT ROWID;

        -- Documents that are in no segment yet, with their entries once more: a query looks at each of them.
        -- distributed by collection
        CREATE TABLE octet_search_fresh (
          collection INTEGER NOT NULL, document INTEGER NOT NULL, terms INTEGER NOT NULL, entry BLOB NOT NULL,
          PRIMARY KEY (collection, document)) WITHOUT ROWID;

        -- Postings of many documents at once. state: 0 in the making, 1 searched, 2 taken over by another one (target).
        -- distributed by segment
        CREATE TABLE octet_search_segments (
          segment INTEGER PRIMARY KEY, collection INTEGER NOT NULL, state INTEGER NOT NULL, documents INTEGER NOT NULL,
          lowest INTEGER NOT NULL, highest INTEGER NOT NULL, target INTEGER NOT NULL, changed_at INTEGER NOT NULL);
        CREATE INDEX octet_search_segments_by_state ON octet_search_segments (collection, state);

        -- The terms of a segment in order, many in a row, with their lists of documents if these are short.
        -- distributed by segment
        CREATE TABLE octet_search_terms (
          segment INTEGER NOT NULL, term INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (segment, term));

        -- Longer lists, by the position of their first document in the segment, in pieces. Neither is WITHOUT ROWID: a
        -- piece would fill half a page of the tree that finds it.
        -- distributed by segment
        CREATE TABLE octet_search_blocks (
          segment INTEGER NOT NULL, term INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
          PRIMARY KEY (segment, term, part));

        -- Bits of the documents of a segment that have been removed or changed since.
        -- distributed by segment
        CREATE TABLE octet_search_dead (
          segment INTEGER NOT NULL, chunk INTEGER NOT NULL, bits BLOB NOT NULL,
          PRIMARY KEY (segment, chunk)) WITHOUT ROWID;

        -- distributed by collection
        CREATE TABLE octet_search_words (
          collection INTEGER NOT NULL, word TEXT NOT NULL, magnitude INTEGER NOT NULL,
          PRIMARY KEY (collection, word)) WITHOUT ROWID;

        -- Words that are in neither of the next two tables yet.
        -- distributed by collection
        CREATE TABLE octet_search_new_words (
          collection INTEGER NOT NULL, word TEXT NOT NULL, PRIMARY KEY (collection, word)) WITHOUT ROWID;

        -- Words by their first one to four characters, frequent ones first.
        -- distributed by prefix
        CREATE TABLE octet_search_prefixes (
          prefix INTEGER NOT NULL, rank INTEGER NOT NULL, word TEXT NOT NULL,
          PRIMARY KEY (prefix, rank, word)) WITHOUT ROWID;

        -- Words by what is left of their beginning when one or two characters are taken out.
        -- distributed by remainder
        CREATE TABLE octet_search_typos (
          remainder INTEGER NOT NULL, word TEXT NOT NULL,
          PRIMARY KEY (remainder, word)) WITHOUT ROWID;
        """),
    Migration(
      "search", 2, "when documents were changed, so that further pages leave out what came after the first",
      sql: "ALTER TABLE octet_search_documents ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;"),
    Migration(
      "search", 3, "what documents were, so that further pages show the state of the first on any node",
      sql: """
        -- Entries that others have taken the place of, or that were removed: what a document contributed from since on,
        -- before until. Kept as long as a cursor may ask for them.
        -- distributed by collection
        CREATE TABLE octet_search_past (
          collection INTEGER NOT NULL, until INTEGER NOT NULL, document INTEGER NOT NULL, since INTEGER NOT NULL,
          entry BLOB NOT NULL,
          PRIMARY KEY (collection, until, document)) WITHOUT ROWID;
        """),
  ]
}
