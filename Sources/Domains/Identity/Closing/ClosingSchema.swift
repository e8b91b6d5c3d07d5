import Storage

/// What closing and exporting accounts needs.
enum ClosingSchema {
  static let migration = Migration(
    "identity", 3, "closing accounts, exports",
    sql: """
      -- When a closing account is erased, and the state that a login before that gives back.
      ALTER TABLE identity_users ADD COLUMN erases_at INTEGER;
      ALTER TABLE identity_users ADD COLUMN closed_from INTEGER;
      ALTER TABLE identity_users ADD COLUMN erased_at INTEGER;
      CREATE INDEX identity_users_erased ON identity_users (erased_at) WHERE erased_at IS NOT NULL;
      CREATE INDEX identity_sessions_over ON identity_sessions (user_id, id) WHERE ended_at IS NOT NULL;

      -- content, size, files and expires_at are null until the archive is complete.
      -- distributed by user_id
      CREATE TABLE identity_exports (
        user_id INTEGER NOT NULL,
        id INTEGER NOT NULL,
        requested_at INTEGER NOT NULL,
        content BLOB,
        size INTEGER,
        files INTEGER,
        expires_at INTEGER,
        PRIMARY KEY (user_id, id)
      ) WITHOUT ROWID;
      CREATE INDEX identity_exports_expiry ON identity_exports (expires_at) WHERE expires_at IS NOT NULL;
      """)

  /// Exports are things with a file.
  static let files = Migration(
    "identity", 7, "files of exports",
    sql: """
      -- The archive as a file of media's; null until it is complete.
      ALTER TABLE identity_exports ADD COLUMN blob_id INTEGER;
      CREATE INDEX identity_exports_id ON identity_exports (id);
      """)

  /// Exports can fail.
  static let failures = Migration(
    "identity", 11, "exports that were given up",
    sql: """
      -- When the export was given up; null for one that was not. expires_at says for how long its owner is told.
      ALTER TABLE identity_exports ADD COLUMN failed_at INTEGER;
      """)
}
