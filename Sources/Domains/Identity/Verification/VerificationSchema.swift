import Storage

/// The tables of verifications.
enum VerificationSchema {
  static let migration = Migration(
    "identity", 5, "verifications",
    sql: """
      -- state is as in octet.identity.v1.VerificationState.
      -- distributed by user_id
      CREATE TABLE identity_verifications (
        user_id INTEGER NOT NULL,
        id INTEGER NOT NULL,
        state INTEGER NOT NULL,
        reason TEXT NOT NULL,
        submitted_at INTEGER NOT NULL,
        reviewed_at INTEGER,
        reviewed_by INTEGER,
        PRIMARY KEY (user_id, id)
      ) WITHOUT ROWID;
      CREATE INDEX identity_verifications_id ON identity_verifications (id);

      -- The file of a document belongs to media.
      -- distributed by user_id
      CREATE TABLE identity_verification_documents (
        user_id INTEGER NOT NULL,
        verification_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        blob_id INTEGER NOT NULL,
        PRIMARY KEY (user_id, verification_id, number)
      ) WITHOUT ROWID;
      """)

  /// What staff looks for: those that wait.
  static let queue = Migration(
    "identity", 13, "verifications by state",
    sql: """
      CREATE INDEX identity_verifications_state ON identity_verifications (state, id);
      """)
}
