import Storage

/// The tables of the notify domain.
enum NotifySchema {
  static let migrations = [
    Migration(
      "notify", 1, "inboxes, settings, devices, deliveries, templates, broadcasts",
      sql: """
        -- One inbox. last_number is that of its newest notice. All up to read_through are read, all up to swept_through
        -- are gone. Quiet hours are minutes of the user's day. mail_day is a day since 1970-01-01 UTC,
        -- mail_count the mails of that day.
        -- distributed by user_id
        CREATE TABLE notify_users (
          user_id INTEGER PRIMARY KEY,
          last_number INTEGER NOT NULL,
          read_through INTEGER NOT NULL,
          swept_through INTEGER NOT NULL,
          quiet_start INTEGER,
          quiet_end INTEGER,
          version INTEGER NOT NULL,
          mail_day INTEGER NOT NULL,
          mail_count INTEGER NOT NULL
        );

        -- object is a printed id, or empty. Title and text are as the user was told.
        -- distributed by user_id
        CREATE TABLE notify_inbox (
          user_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          id INTEGER NOT NULL,
          kind TEXT NOT NULL,
          dedup_key TEXT NOT NULL,
          object TEXT NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, number)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX notify_inbox_key ON notify_inbox (user_id, dedup_key);
        CREATE INDEX notify_inbox_age ON notify_inbox (created_at);

        -- A notice on a way outside of the inbox. No address: that is looked up when it is sent.
        -- distributed by user_id
        CREATE TABLE notify_deliveries (
          user_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          way INTEGER NOT NULL,
          note_id INTEGER NOT NULL,
          state INTEGER NOT NULL,
          reason TEXT NOT NULL,
          tries INTEGER NOT NULL,
          due_at INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          settled_at INTEGER,
          PRIMARY KEY (user_id, number, way)
        ) WITHOUT ROWID;
        CREATE INDEX notify_deliveries_state ON notify_deliveries (state, note_id, way);

        -- What a user has chosen for one kind, in place of the kind's own ways. ways is a sum of 1 push, 2 mail, 4 SMS.
        -- distributed by user_id
        CREATE TABLE notify_choices (
          user_id INTEGER NOT NULL,
          kind TEXT NOT NULL,
          ways INTEGER NOT NULL,
          PRIMARY KEY (user_id, kind)
        ) WITHOUT ROWID;

        -- The address is sealed with the user's key; lookup is its keyed hash.
        -- local: a device belongs to one of all users
        CREATE TABLE notify_devices (
          id INTEGER PRIMARY KEY,
          user_id INTEGER NOT NULL,
          sealed BLOB NOT NULL,
          lookup BLOB NOT NULL UNIQUE,
          created_at INTEGER NOT NULL
        );
        CREATE INDEX notify_devices_user ON notify_devices (user_id, id);

        -- Words in place of those that the program comes with.
        -- reference: few rows, read with every notice
        CREATE TABLE notify_templates (
          kind TEXT NOT NULL,
          language TEXT NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          version INTEGER NOT NULL,
          changed_at INTEGER NOT NULL,
          changed_by INTEGER NOT NULL,
          PRIMARY KEY (kind, language)
        ) WITHOUT ROWID;

        -- A notice to many. content is an encoded StoredBroadcast; all members up to reached have the notice.
        -- distributed by id
        CREATE TABLE notify_broadcasts (
          id INTEGER PRIMARY KEY,
          kind TEXT NOT NULL,
          dedup_key TEXT NOT NULL,
          object TEXT NOT NULL,
          source TEXT NOT NULL,
          source_key TEXT NOT NULL,
          content BLOB NOT NULL,
          reached INTEGER,
          told INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          ended_at INTEGER
        );
        CREATE INDEX notify_broadcasts_ended ON notify_broadcasts (ended_at);
        """),
    Migration(
      "notify", 2, "letters to people without an account",
      sql: """
        -- An address that was written to, or wants no more: a keyed hash of it and of the sort of letters. mail_day is a
        -- day since 1970-01-01 UTC, mail_count the letters of that day.
        -- distributed by lookup
        CREATE TABLE notify_addresses (
          lookup BLOB PRIMARY KEY,
          stopped_at INTEGER,
          mail_day INTEGER NOT NULL,
          mail_count INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX notify_addresses_day ON notify_addresses (mail_day) WHERE stopped_at IS NULL;

        -- A letter to such an address. sealed has the address with the server's key; it and the words are empty once the
        -- letter is settled. state as in notify_deliveries.
        -- distributed by lookup
        CREATE TABLE notify_outside (
          lookup BLOB NOT NULL,
          id INTEGER NOT NULL,
          kind TEXT NOT NULL,
          dedup_key TEXT NOT NULL,
          object TEXT NOT NULL,
          way INTEGER NOT NULL,
          sealed BLOB NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          sender_id INTEGER,
          state INTEGER NOT NULL,
          tries INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          settled_at INTEGER,
          PRIMARY KEY (lookup, id)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX notify_outside_key ON notify_outside (lookup, dedup_key);
        CREATE INDEX notify_outside_age ON notify_outside (created_at);
        CREATE INDEX notify_outside_sender ON notify_outside (sender_id) WHERE sender_id IS NOT NULL;

        -- How many somebody has invited on a day since 1970-01-01 UTC.
        -- distributed by user_id
        CREATE TABLE notify_senders (
          user_id INTEGER PRIMARY KEY,
          day INTEGER NOT NULL,
          sent INTEGER NOT NULL
        );
        """),
    Migration(
      "notify", 3, "sessions of devices",
      sql: """
        -- The session that the device was registered in, with which it goes; null for one from before there was this column.
        ALTER TABLE notify_devices ADD COLUMN session_id INTEGER;
        CREATE INDEX notify_devices_session ON notify_devices (session_id) WHERE session_id IS NOT NULL;
        """),
    Migration(
      "notify", 4, "names of devices",
      sql: """
        -- What its owner calls the device; empty for one that was not named.
        ALTER TABLE notify_devices ADD COLUMN name TEXT NOT NULL DEFAULT '';
        """),
    Migration(
      "notify", 5, "devices that have answered",
      sql: """
        -- Of a push that is to be tried again: the devices that have it and those that refused it, eight octets each; null
        -- for none. It goes to neither again.
        ALTER TABLE notify_deliveries ADD COLUMN taken_by BLOB;
        ALTER TABLE notify_deliveries ADD COLUMN refused_by BLOB;
        """),
  ]
}
