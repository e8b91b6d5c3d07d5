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
    Migration(
      "pinboard", 3, "hidden adverts and giveaways",
      sql: """
        -- 1 for one that its owner alone sees.
        ALTER TABLE pinboard_adverts ADD COLUMN is_private INTEGER NOT NULL DEFAULT 0;
        -- When moderators removed it; null for one that they did not.
        ALTER TABLE pinboard_adverts ADD COLUMN removed_at INTEGER;
        -- What adverts give away, each behind a queue: event_id is that of queue_events.
        -- distributed by advert_id
        CREATE TABLE pinboard_giveaways (
          advert_id INTEGER PRIMARY KEY,
          event_id INTEGER NOT NULL,
          pieces INTEGER NOT NULL,
          given INTEGER NOT NULL DEFAULT 0
        );
        -- Pieces that were taken; user_id is null for somebody who was erased.
        -- distributed by advert_id
        CREATE TABLE pinboard_claims (
          advert_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          user_id INTEGER,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (advert_id, id)
        );
        CREATE UNIQUE INDEX pinboard_claims_once ON pinboard_claims (advert_id, user_id);
        CREATE INDEX pinboard_claims_user ON pinboard_claims (user_id, id)
        """),
    Migration(
      "pinboard", 4, "photos",
      sql: """
        -- Null for an advert without, and for one that came down: its photo goes with it.
        ALTER TABLE pinboard_adverts ADD COLUMN photo_id INTEGER
        """),
  ]
}
