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

-- What the first version may have left behind.
INSERT INTO octet_migrations VALUES ('storage', 1, 'idempotency rows, timers, outbox', -6558201340230295101, 1767225600000000000);
INSERT INTO octet_migrations VALUES ('streaming', 1, 'lossless topics', -3951207876424559669, 1767225600000000000);
INSERT INTO octet_requests VALUES (x'01890a5dac96774bbcceb302099a8057', 1, -4850795217864796673, x'01', x'0a0b', 1767225600000000000);
INSERT INTO octet_timers VALUES ('note', 'a', 1767225600000000000, 1767225600000000000, 7, 1, x'09');
INSERT INTO octet_timers VALUES ('note', 'b', 1768225600000000000, 1768225600000000000, 7, 0, x'08');
INSERT INTO octet_dead_timers (kind, key, scheduled_for, attempts, payload, error, died_at)
  VALUES ('note', 'd', 1767225600000000000, 5, x'07', 'broken', 1767225600000000000);
INSERT INTO octet_outbox (channel, payload, created_at) VALUES ('mail', x'01', 1767225600000000000);
INSERT INTO octet_outbox (channel, payload, created_at) VALUES ('mail', x'02', 1767225600000000000);
INSERT INTO octet_topics VALUES ('ride/1', 3);
INSERT INTO octet_topic_events VALUES ('ride/1', 1, x'01', 1767225600000000000);
INSERT INTO octet_topic_events VALUES ('ride/1', 2, x'02', 1767225600000000000);
INSERT INTO octet_topic_events VALUES ('ride/1', 3, x'03', 1767225600000000000);
