import Storage

/// What codes and challenges need, and accounts that nobody proves a contact of.
enum CodeSchema {
  static let migration = Migration(
    "identity", 6, "codes, challenges, accounts that are dropped",
    sql: """
      -- When the account is dropped unless it has proved a contact until then; null for accounts that stay.
      ALTER TABLE identity_users ADD COLUMN drop_at INTEGER;
      CREATE INDEX identity_users_dropped ON identity_users (state, drop_at) WHERE drop_at IS NOT NULL;

      -- The newest code of each slot; the code itself is made from the id and a key of the server's. The address is
      -- sealed with the user's key, and null where it is one of somebody's contacts; lookup is its keyed hash.
      -- distributed by slot
      CREATE TABLE identity_codes (
        slot BLOB NOT NULL,
        id INTEGER NOT NULL,
        purpose INTEGER NOT NULL,
        user_id INTEGER,
        kind INTEGER NOT NULL,
        lookup BLOB NOT NULL,
        sealed BLOB,
        wrong_tries INTEGER NOT NULL,
        sent_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER,
        PRIMARY KEY (slot)
      ) WITHOUT ROWID;
      CREATE INDEX identity_codes_expiry ON identity_codes (expires_at);

      -- When codes were sent within the last hour, 8 octets each: to one contact, by its keyed hash, or by one user.
      -- distributed by key
      CREATE TABLE identity_code_sends (
        key BLOB NOT NULL,
        recent BLOB NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (key)
      ) WITHOUT ROWID;
      CREATE INDEX identity_code_sends_last ON identity_code_sends (last_at);

      -- Challenges that were answered, each with a keyed hash of the request that it served.
      -- distributed by id
      CREATE TABLE identity_challenges (
        id BLOB NOT NULL,
        request_hash BLOB NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (id)
      ) WITHOUT ROWID;
      CREATE INDEX identity_challenges_expiry ON identity_challenges (expires_at);
      """)
}
