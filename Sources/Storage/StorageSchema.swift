/// The tables of the storage layer itself. Engines apply these migrations before any other.
public enum StorageSchema {
  public static let migrations: [Migration] = [
    Migration(
      "storage", 1, "idempotency rows, timers, outbox",
      sql: """
        -- The request id leads, not the caller: rows of clients that make time-ordered UUIDs (version 7) are then
        -- appended, whoever calls; a random id costs one page either way. One tree, no second index.
        -- distributed by request_id
        CREATE TABLE octet_requests (
          request_id BLOB NOT NULL,
          caller INTEGER NOT NULL,
          method INTEGER NOT NULL,
          hash BLOB NOT NULL,
          reply BLOB NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (request_id, caller, method)
        ) WITHOUT ROWID;

        -- `due` is when a timer is next of interest: its instant, the end of a lease, or the next attempt.
        -- distributed by kind
        CREATE TABLE octet_timers (
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          due INTEGER NOT NULL,
          scheduled_for INTEGER NOT NULL,
          fence INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          payload BLOB NOT NULL,
          PRIMARY KEY (kind, key)
        ) WITHOUT ROWID;
        CREATE INDEX octet_timers_due ON octet_timers (due);

        -- local: few rows, for people
        CREATE TABLE octet_dead_timers (
          id INTEGER PRIMARY KEY,
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          scheduled_for INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          payload BLOB NOT NULL,
          error TEXT NOT NULL,
          died_at INTEGER NOT NULL
        );

        -- AUTOINCREMENT, because rows come and go and an id must not come back.
        -- local: the order of a channel comes from one sequence
        CREATE TABLE octet_outbox (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          channel TEXT NOT NULL,
          payload BLOB NOT NULL,
          created_at INTEGER NOT NULL
        );
        """),
    Migration(
      "storage", 2, "generations of idempotency rows, leases, dead letters of the outbox, jobs",
      sql: """
        -- Rows are stored in one generation while the other one ages; docs/adr/0018.
        -- distributed by request_id
        CREATE TABLE octet_requests_b (
          request_id BLOB NOT NULL,
          caller INTEGER NOT NULL,
          method INTEGER NOT NULL,
          hash BLOB NOT NULL,
          reply BLOB NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (request_id, caller, method)
        ) WITHOUT ROWID;

        -- Rows of methods that keep their requests for ever.
        -- distributed by request_id
        CREATE TABLE octet_requests_kept (
          request_id BLOB NOT NULL,
          caller INTEGER NOT NULL,
          method INTEGER NOT NULL,
          hash BLOB NOT NULL,
          reply BLOB NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (request_id, caller, method)
        ) WITHOUT ROWID;

        -- One row. newest is 0 for octet_requests and 1 for octet_requests_b; while is_turning, rows go to both.
        -- reference: one row that every mutating call reads
        CREATE TABLE octet_request_generation (
          id INTEGER PRIMARY KEY,
          newest INTEGER NOT NULL,
          is_turning INTEGER NOT NULL,
          since INTEGER NOT NULL
        );
        INSERT INTO octet_request_generation (id, newest, is_turning, since) VALUES (1, 0, 0, 0);

        -- distributed by name
        CREATE TABLE octet_leases (
          name TEXT NOT NULL,
          holder TEXT NOT NULL,
          fence INTEGER NOT NULL,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (name)
        ) WITHOUT ROWID;

        CREATE INDEX octet_outbox_channel ON octet_outbox (channel, id);

        -- The entry at the head of a channel whose delivery failed, and when it is tried again.
        -- distributed by channel
        CREATE TABLE octet_outbox_failures (
          channel TEXT NOT NULL,
          entry INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          retry_at INTEGER NOT NULL,
          PRIMARY KEY (channel)
        ) WITHOUT ROWID;

        -- distributed by channel
        CREATE TABLE octet_dead_outbox (
          channel TEXT NOT NULL,
          id INTEGER NOT NULL,
          payload BLOB NOT NULL,
          created_at INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          error TEXT NOT NULL,
          died_at INTEGER NOT NULL,
          PRIMARY KEY (channel, id)
        ) WITHOUT ROWID;

        ALTER TABLE octet_timers ADD COLUMN is_leased INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE octet_timers ADD COLUMN progress BLOB;
        ALTER TABLE octet_timers ADD COLUMN error TEXT;
        -- Led by the kind, so that one with very many due timers is no obstacle on the way to another's.
        CREATE INDEX octet_timers_kind_due ON octet_timers (kind, due);
        -- contract: the version before finds its due timers without it, by a scan
        DROP INDEX octet_timers_due;
        """),
    Migration(
      "storage", 3, "each entry of the outbox has its own attempts",
      sql: """
        -- octet_outbox_failures is left to the version before; a later step drops it.
        ALTER TABLE octet_outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE octet_outbox ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;
        UPDATE octet_outbox SET
          attempts = (SELECT f.attempts FROM octet_outbox_failures f WHERE f.channel = octet_outbox.channel),
          retry_at = (SELECT f.retry_at FROM octet_outbox_failures f WHERE f.channel = octet_outbox.channel)
        WHERE id IN (SELECT f.entry FROM octet_outbox_failures f WHERE f.channel = octet_outbox.channel);
        """),
  ]
}
