import Storage

/// The tables of machines' credentials.
enum CredentialSchema {
  static let migration = Migration(
    "identity", 4, "credentials of machines",
    sql: """
      -- A machine's sessions and grants are under its own number, in place of a user's. name is the owner's word for it.
      -- distributed by id
      CREATE TABLE identity_credentials (
        id INTEGER PRIMARY KEY,
        owner_id INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        name TEXT NOT NULL,
        public_key BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER
      );
      CREATE INDEX identity_credentials_owner ON identity_credentials (owner_id, id);

      -- 1 if user_id is the number of a credential.
      ALTER TABLE identity_grants ADD COLUMN is_machine INTEGER NOT NULL DEFAULT 0;
      """)
}
