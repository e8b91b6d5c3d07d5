CREATE TABLE octet_dead_timers (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  scheduled_for INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  payload BLOB NOT NULL,
  error TEXT NOT NULL,
  died_at INTEGER NOT NULL
) STRICT;

CREATE TABLE octet_migrations (
  component TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL,
  applied_at INTEGER NOT NULL, PRIMARY KEY (component, number)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  payload BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE octet_requests (
  request_id BLOB NOT NULL,
  caller INTEGER NOT NULL,
  method INTEGER NOT NULL,
  hash BLOB NOT NULL,
  reply BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (request_id, caller, method)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_timers (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  due INTEGER NOT NULL,
  scheduled_for INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID, STRICT;

CREATE INDEX octet_timers_due ON octet_timers (due);

CREATE TABLE octet_topic_events (
  topic TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  payload BLOB NOT NULL,
  published_at INTEGER NOT NULL,
  PRIMARY KEY (topic, sequence)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_topics (
  topic TEXT NOT NULL,
  last_sequence INTEGER NOT NULL,
  PRIMARY KEY (topic)
) WITHOUT ROWID, STRICT;
