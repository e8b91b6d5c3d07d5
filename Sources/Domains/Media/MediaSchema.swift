import Storage

/// The tables of the media domain.
enum MediaSchema {
  static let migrations = [
    Migration(
      "media", 1, "uploads, blobs, who has them, what was made of them",
      sql: """
        -- declared_length and declared_hash are NULL if an end marker says them. store_upload names the bytes in the store
        -- of blobs. Only the stream of the newest epoch writes. expires_at: when nothing more will come; of an upload in
        -- a final state, when its row goes.
        -- distributed by id
        CREATE TABLE media_uploads (
          id INTEGER PRIMARY KEY,
          user_id INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          state INTEGER NOT NULL,
          declared_length INTEGER,
          declared_hash BLOB,
          durable_offset INTEGER NOT NULL,
          epoch INTEGER NOT NULL,
          store_upload BLOB NOT NULL,
          blob_id INTEGER,
          expires_at INTEGER NOT NULL
        );
        CREATE INDEX media_uploads_expiry ON media_uploads (expires_at);
        CREATE INDEX media_uploads_user ON media_uploads (user_id, id);

        -- How many uploads a user has begun on one day since 1970-01-01 UTC.
        -- distributed by user_id
        CREATE TABLE media_quotas (
          user_id INTEGER PRIMARY KEY,
          day INTEGER NOT NULL,
          uploads INTEGER NOT NULL
        );

        -- Which blob a content is, by what it is used as. Whoever adds or takes away a share of the blob locks this row.
        -- distributed by content
        CREATE TABLE media_contents (
          content BLOB NOT NULL,
          kind INTEGER NOT NULL,
          blob_id INTEGER NOT NULL,
          PRIMARY KEY (content, kind)
        ) WITHOUT ROWID;

        -- distributed by id
        CREATE TABLE media_blobs (
          id INTEGER PRIMARY KEY,
          content BLOB NOT NULL,
          kind INTEGER NOT NULL,
          size INTEGER NOT NULL,
          state INTEGER NOT NULL,
          failure TEXT NOT NULL,
          content_type TEXT NOT NULL,
          width INTEGER NOT NULL,
          height INTEGER NOT NULL,
          duration_ms INTEGER
        );

        -- Who has uploaded a blob and not given it up. id is never used again: what was granted by it ends with the row.
        -- distributed by blob_id
        CREATE TABLE media_holdings (
          blob_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          PRIMARY KEY (blob_id, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX media_holdings_user ON media_holdings (user_id, blob_id);

        -- Which things of other domains have a blob as a part. subject is a printed id, slot says which part, user_id who
        -- made it one. id as above.
        -- distributed by blob_id
        CREATE TABLE media_uses (
          blob_id INTEGER NOT NULL,
          subject TEXT NOT NULL,
          slot TEXT NOT NULL,
          user_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          PRIMARY KEY (blob_id, subject, slot)
        ) WITHOUT ROWID;

        -- What is made of a blob. content is NULL until it is there. playlist is its HLS text, for videos.
        -- distributed by blob_id
        CREATE TABLE media_renditions (
          blob_id INTEGER NOT NULL,
          profile TEXT NOT NULL,
          content BLOB,
          content_type TEXT NOT NULL,
          codecs TEXT NOT NULL,
          size INTEGER NOT NULL,
          width INTEGER NOT NULL,
          height INTEGER NOT NULL,
          bit_rate INTEGER NOT NULL,
          segments INTEGER NOT NULL,
          playlist TEXT NOT NULL,
          PRIMARY KEY (blob_id, profile)
        ) WITHOUT ROWID;
        """),
    Migration(
      "media", 2, "shares by their ids",
      sql: """
        CREATE INDEX media_holdings_share ON media_holdings (blob_id, id);
        CREATE INDEX media_uses_share ON media_uses (blob_id, id);
        """),
    Migration(
      "media", 3, "the parts of a thing",
      sql: "CREATE INDEX IF NOT EXISTS media_uses_subject ON media_uses (subject, blob_id, slot);"),
  ]
}
