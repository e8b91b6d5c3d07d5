/// The tables of the storage layer itself. Engines apply these migrations before any other.
public enum StorageSchema {
  public static let migrations: [Migration] = [
    Migration(
      "storage", 1, "idempotency rows, timers, outbox",
      sql: """
        -- The request id leads, not the caller: rows of clients that make time-ordered UUIDs (version 7) are then
        -- appended, whoever calls; a random id costs one page either way. One tree, no second index.
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
        CREATE TABLE octet_outbox (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          channel TEXT NOT NULL,
          payload BLOB NOT NULL,
          created_at INTEGER NOT NULL
        );
        """)
  ]
}
