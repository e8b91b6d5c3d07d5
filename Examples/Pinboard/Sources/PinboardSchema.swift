import Storage

/// The tables of the pinboard domain.
enum PinboardSchema {
  static let migrations = [
    Migration(
      "pinboard", 1, "adverts",
      sql: """
        -- down_at is null as long as it hangs; then a timer `pinboard.expire` with its id waits for expires_at.
        -- distributed by id
        CREATE TABLE pinboard_adverts (
          id INTEGER PRIMARY KEY,
          owner_id INTEGER NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          expires_at INTEGER NOT NULL,
          down_at INTEGER
        );
        CREATE INDEX pinboard_adverts_owner ON pinboard_adverts (owner_id, id);
        CREATE INDEX pinboard_adverts_hanging ON pinboard_adverts (id) WHERE down_at IS NULL
        """),
    Migration(
      "pinboard", 2, "sections",
      sql: """
        -- distributed by id
        CREATE TABLE pinboard_sections (
          id INTEGER PRIMARY KEY,
          title TEXT NOT NULL
        );
        -- Null for an advert in no section.
        ALTER TABLE pinboard_adverts ADD COLUMN section_id INTEGER
        """),
  ]
}
