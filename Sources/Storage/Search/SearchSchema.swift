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

        -- rank is the impact with its sign changed: the best documents of a term come first.
        -- distributed by term
        CREATE TABLE octet_search_postings (
          term INTEGER NOT NULL, rank INTEGER NOT NULL, document INTEGER NOT NULL,
          PRIMARY KEY (term, rank, document)) WITHOUT ROWID;

        -- The postings of one document in sixteen in the order of a hash: how far the first few reach says how many
        -- there are, without a counter that all writers would change.
        -- distributed by term
        CREATE TABLE octet_search_samples (
          term INTEGER NOT NULL, hash INTEGER NOT NULL, document INTEGER NOT NULL,
          PRIMARY KEY (term, hash, document)) WITHOUT ROWID;

        -- distributed by collection
        CREATE TABLE octet_search_words (
          collection INTEGER NOT NULL, word TEXT NOT NULL, magnitude INTEGER NOT NULL,
          PRIMARY KEY (collection, word)) WITHOUT ROWID;

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
        """)
  ]
}
