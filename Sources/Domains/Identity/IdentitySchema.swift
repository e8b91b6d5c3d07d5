import Storage

/// The tables of the identity domain.
enum IdentitySchema {
  static let migrations = [
    Migration(
      "identity", 1, "users, contacts, devices, sessions, grants, failed logins",
      sql: """
        -- handle_key is the handle in lower case; null once the account is erased, so that the name is free again.
        -- local: a handle is unique among all users
        CREATE TABLE identity_users (
          id INTEGER PRIMARY KEY,
          handle TEXT NOT NULL,
          handle_key TEXT UNIQUE,
          display_name TEXT NOT NULL,
          password_hash TEXT NOT NULL,
          state INTEGER NOT NULL,
          level INTEGER NOT NULL,
          grants_epoch INTEGER NOT NULL,
          sealing_key BLOB NOT NULL,
          created_at INTEGER NOT NULL
        );

        -- The address is sealed with the user's key; lookup is its keyed hash. Many may claim a contact, one proves it.
        -- local: a proved contact is unique among all users
        CREATE TABLE identity_contacts (
          user_id INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          sealed BLOB NOT NULL,
          lookup BLOB NOT NULL,
          claimed_at INTEGER NOT NULL,
          proved_at INTEGER,
          PRIMARY KEY (user_id, kind)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX identity_contacts_proved ON identity_contacts (kind, lookup) WHERE proved_at IS NOT NULL;

        -- distributed by user_id
        CREATE TABLE identity_devices (
          user_id INTEGER NOT NULL,
          device_hash BLOB NOT NULL,
          id INTEGER NOT NULL,
          first_seen_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, device_hash)
        ) WITHOUT ROWID;

        -- distributed by id
        CREATE TABLE identity_sessions (
          id INTEGER PRIMARY KEY,
          user_id INTEGER NOT NULL,
          device_id INTEGER,
          device_name TEXT NOT NULL,
          known_device INTEGER NOT NULL,
          address TEXT NOT NULL,
          generation INTEGER NOT NULL,
          signed_in_at INTEGER NOT NULL,
          proved_at INTEGER NOT NULL,
          last_used_at INTEGER NOT NULL,
          renewed_at INTEGER NOT NULL,
          ended_at INTEGER,
          end_reason INTEGER
        );
        CREATE INDEX identity_sessions_live ON identity_sessions (user_id, id) WHERE ended_at IS NULL;
        CREATE INDEX identity_sessions_ended ON identity_sessions (ended_at) WHERE ended_at IS NOT NULL;

        -- resource is empty for the whole platform. changed_at is when the grant was given, prolonged or revoked: how
        -- other nodes learn of it.
        -- reference: few rows, which every node keeps in memory
        CREATE TABLE identity_grants (
          id INTEGER PRIMARY KEY,
          user_id INTEGER NOT NULL,
          role TEXT NOT NULL,
          resource TEXT NOT NULL,
          granted_by INTEGER,
          created_at INTEGER NOT NULL,
          expires_at INTEGER,
          revoked_at INTEGER,
          changed_at INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX identity_grants_held ON identity_grants (user_id, role, resource) WHERE revoked_at IS NULL;
        CREATE INDEX identity_grants_holders ON identity_grants (resource, role) WHERE revoked_at IS NULL;
        CREATE INDEX identity_grants_changed ON identity_grants (changed_at);

        -- distributed by name_hash
        CREATE TABLE identity_login_failures (
          name_hash BLOB NOT NULL,
          device_id INTEGER NOT NULL,
          failures INTEGER NOT NULL,
          last_at INTEGER NOT NULL,
          PRIMARY KEY (name_hash, device_id)
        ) WITHOUT ROWID;
        CREATE INDEX identity_login_failures_last ON identity_login_failures (last_at);
        """),
    Migration(
      "identity", 2, "profiles, preferences, addresses",
      sql: """
        ALTER TABLE identity_users ADD COLUMN about TEXT NOT NULL DEFAULT '';
        ALTER TABLE identity_users ADD COLUMN profile_version INTEGER NOT NULL DEFAULT 1;

        -- What was never said is empty; wishes are sealed with the user's key.
        -- distributed by user_id
        CREATE TABLE identity_preferences (
          user_id INTEGER NOT NULL,
          language TEXT NOT NULL,
          region TEXT NOT NULL,
          currency TEXT NOT NULL,
          time_zone TEXT NOT NULL,
          visibility INTEGER NOT NULL,
          wishes BLOB NOT NULL,
          version INTEGER NOT NULL,
          PRIMARY KEY (user_id)
        ) WITHOUT ROWID;

        -- Each address is sealed with the user's key.
        -- distributed by user_id
        CREATE TABLE identity_addresses (
          user_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          sealed BLOB NOT NULL,
          created_at INTEGER NOT NULL,
          updated_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, id)
        ) WITHOUT ROWID;
        """),
    ClosingSchema.migration,
    CredentialSchema.migration,
    VerificationSchema.migration,
    CodeSchema.migration,
    ClosingSchema.files,
    Migration(
      "identity", 8, "dates of birth",
      sql: """
        -- Sealed with the user's key; null for one who has not told it.
        ALTER TABLE identity_users ADD COLUMN birth_date BLOB;
        """),
    Migration(
      "identity", 9, "photos",
      sql: """
        -- The blob of the picture that shows the user; null for none.
        ALTER TABLE identity_users ADD COLUMN photo_id INTEGER;
        """),
    Migration(
      "identity", 10, "sessions by their last refresh, roles that were taken away",
      sql: """
        CREATE INDEX identity_sessions_idle ON identity_sessions (renewed_at) WHERE ended_at IS NULL;

        -- 1 if somebody else than its holder revoked the grant.
        ALTER TABLE identity_grants ADD COLUMN is_withdrawn INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX identity_grants_history ON identity_grants (user_id, role, id);
        """),
    ClosingSchema.failures,
    Migration(
      "identity", 12, "sessions know their last refresh",
      sql: """
        -- The keyed hash of the request that bought the newest tokens, and the epoch of the grants that they carry; null
        -- for the tokens of the sign-in.
        ALTER TABLE identity_sessions ADD COLUMN renewed_by BLOB;
        ALTER TABLE identity_sessions ADD COLUMN renewed_epoch INTEGER;
        """),
    VerificationSchema.queue,
  ]
}
