import Storage

/// The tables of the social domain.
enum SocialSchema {
  static let migrations = [
    Migration(
      "social", 1, "follows, blocks, mutes, restrictions, counters",
      sql: """
        -- state is 1 for a request, 2 for a follow. id is when in the order of all it was asked for.
        -- distributed by follower_id
        CREATE TABLE social_follows (
          follower_id INTEGER NOT NULL,
          target_id INTEGER NOT NULL,
          target_kind TEXT NOT NULL,
          id INTEGER NOT NULL,
          state INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (follower_id, target_id)
        ) WITHOUT ROWID;
        CREATE INDEX social_follows_made ON social_follows (follower_id, state, id);
        CREATE INDEX social_follows_target ON social_follows (target_id, state, id);
        CREATE INDEX social_follows_audience ON social_follows (target_id, state, follower_id);

        -- What user_id wants nothing of: kind is 1 for a block, 2 for a mute.
        -- distributed by user_id
        CREATE TABLE social_barriers (
          user_id INTEGER NOT NULL,
          other_id INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          id INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, other_id, kind)
        ) WITHOUT ROWID;
        CREATE INDEX social_barriers_made ON social_barriers (user_id, kind, id);
        CREATE INDEX social_barriers_other ON social_barriers (other_id);

        -- Who may not post, until when.
        -- distributed by user_id
        CREATE TABLE social_restrictions (
          user_id INTEGER PRIMARY KEY,
          until INTEGER NOT NULL,
          made_by INTEGER NOT NULL,
          created_at INTEGER NOT NULL
        );

        -- How much of a day's quota is used. day counts from 1970-01-01 UTC.
        -- distributed by user_id
        CREATE TABLE social_quotas (
          user_id INTEGER NOT NULL,
          quota TEXT NOT NULL,
          day INTEGER NOT NULL,
          used INTEGER NOT NULL,
          PRIMARY KEY (user_id, quota)
        ) WITHOUT ROWID;

        -- The value of a counter is the sum of its parts.
        -- distributed by subject_id
        CREATE TABLE social_counters (
          subject_id INTEGER NOT NULL,
          counter TEXT NOT NULL,
          part INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          value INTEGER NOT NULL,
          PRIMARY KEY (subject_id, counter, part)
        ) WITHOUT ROWID;

        -- What is held by transactions that must come one after the other.
        -- local: a thousand rows without content
        CREATE TABLE social_turns (
          number INTEGER PRIMARY KEY
        );
        """)
  ]
}
