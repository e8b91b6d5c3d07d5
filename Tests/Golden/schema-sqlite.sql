CREATE TABLE octet_dead_outbox (
  channel TEXT NOT NULL,
  id INTEGER NOT NULL,
  payload BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  error TEXT NOT NULL,
  died_at INTEGER NOT NULL,
  PRIMARY KEY (channel, id)
) WITHOUT ROWID, STRICT;

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

CREATE TABLE octet_installation (
  name TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_leases (
  name TEXT NOT NULL,
  holder TEXT NOT NULL,
  fence INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_migration_walks (
  component TEXT NOT NULL, number INTEGER NOT NULL, walked INTEGER NOT NULL, PRIMARY KEY (component, number)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_migrations (
  component TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL,
  applied_at INTEGER NOT NULL, PRIMARY KEY (component, number)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_nodes (
  node INTEGER NOT NULL,
  claim BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (node)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel TEXT NOT NULL,
  payload BLOB NOT NULL,
  created_at INTEGER NOT NULL
, attempts INTEGER NOT NULL DEFAULT 0, retry_at INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX octet_outbox_channel ON octet_outbox (channel, id);

CREATE TABLE octet_outbox_failures (
  channel TEXT NOT NULL,
  entry INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  retry_at INTEGER NOT NULL,
  PRIMARY KEY (channel)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_request_generation (
  id INTEGER PRIMARY KEY,
  newest INTEGER NOT NULL,
  is_turning INTEGER NOT NULL,
  since INTEGER NOT NULL
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

CREATE TABLE octet_requests_b (
  request_id BLOB NOT NULL,
  caller INTEGER NOT NULL,
  method INTEGER NOT NULL,
  hash BLOB NOT NULL,
  reply BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (request_id, caller, method)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_requests_kept (
  request_id BLOB NOT NULL,
  caller INTEGER NOT NULL,
  method INTEGER NOT NULL,
  hash BLOB NOT NULL,
  reply BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (request_id, caller, method)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_blocks (
  segment INTEGER NOT NULL, term INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (segment, term, part)) STRICT;

CREATE TABLE octet_search_dead (
  segment INTEGER NOT NULL, chunk INTEGER NOT NULL, bits BLOB NOT NULL,
  PRIMARY KEY (segment, chunk)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_documents (
  collection INTEGER NOT NULL, document INTEGER NOT NULL, entry BLOB NOT NULL, changed_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (collection, document)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_fresh (
  collection INTEGER NOT NULL, document INTEGER NOT NULL, terms INTEGER NOT NULL, entry BLOB NOT NULL,
  PRIMARY KEY (collection, document)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_new_words (
  collection INTEGER NOT NULL, word TEXT NOT NULL, PRIMARY KEY (collection, word)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_past (
  collection INTEGER NOT NULL, until INTEGER NOT NULL, document INTEGER NOT NULL, since INTEGER NOT NULL,
  entry BLOB NOT NULL,
  PRIMARY KEY (collection, until, document)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_prefixes (
  prefix INTEGER NOT NULL, rank INTEGER NOT NULL, word TEXT NOT NULL,
  PRIMARY KEY (prefix, rank, word)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_segments (
  segment INTEGER PRIMARY KEY, collection INTEGER NOT NULL, state INTEGER NOT NULL, documents INTEGER NOT NULL,
  lowest INTEGER NOT NULL, highest INTEGER NOT NULL, target INTEGER NOT NULL, changed_at INTEGER NOT NULL) STRICT;

CREATE INDEX octet_search_segments_by_state ON octet_search_segments (collection, state);

CREATE TABLE octet_search_terms (
  segment INTEGER NOT NULL, term INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (segment, term)) STRICT;

CREATE TABLE octet_search_typos (
  remainder INTEGER NOT NULL, word TEXT NOT NULL,
  PRIMARY KEY (remainder, word)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_search_words (
  collection INTEGER NOT NULL, word TEXT NOT NULL, magnitude INTEGER NOT NULL,
  PRIMARY KEY (collection, word)) WITHOUT ROWID, STRICT;

CREATE TABLE octet_timers (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  due INTEGER NOT NULL,
  scheduled_for INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  payload BLOB NOT NULL, is_leased INTEGER NOT NULL DEFAULT 0, progress BLOB, error TEXT,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID, STRICT;

CREATE INDEX octet_timers_kind_due ON octet_timers (kind, due);

CREATE TABLE octet_topic_events (
  topic TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  payload BLOB NOT NULL,
  published_at INTEGER NOT NULL,
  PRIMARY KEY (topic, sequence)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_topic_incarnation (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  since INTEGER NOT NULL
) STRICT;

CREATE TABLE octet_topics (
  topic TEXT NOT NULL,
  last_sequence INTEGER NOT NULL, born INTEGER NOT NULL DEFAULT 0, ended_at INTEGER,
  PRIMARY KEY (topic)
) WITHOUT ROWID, STRICT;

CREATE INDEX octet_topics_ended ON octet_topics (ended_at) WHERE ended_at IS NOT NULL;
