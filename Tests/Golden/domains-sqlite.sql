CREATE TABLE admin_flags (
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  content BLOB NOT NULL,
  put_at INTEGER NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID, STRICT;

CREATE TABLE admin_table_keys (
  table_name TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (table_name, key)
) WITHOUT ROWID, STRICT;

CREATE TABLE admin_table_rows (
  table_name TEXT NOT NULL,
  key TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (table_name, key, from_at)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX admin_table_rows_id ON admin_table_rows (id);

CREATE TABLE audit_chain (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

CREATE TABLE audit_heads (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  signed_at INTEGER NOT NULL,
  signature BLOB NOT NULL
) STRICT;

CREATE TABLE audit_records (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  created_at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  refusal TEXT NOT NULL,
  details TEXT NOT NULL,
  number INTEGER,
  hash BLOB
) STRICT;

CREATE INDEX audit_records_action ON audit_records (action, created_at, id);

CREATE INDEX audit_records_actor ON audit_records (actor, created_at, id);

CREATE INDEX audit_records_created ON audit_records (created_at, id);

CREATE UNIQUE INDEX audit_records_number ON audit_records (number) WHERE number IS NOT NULL;

CREATE INDEX audit_records_object ON audit_records (object, created_at, id);

CREATE INDEX audit_records_waiting ON audit_records (id) WHERE number IS NULL;

CREATE TABLE chat_banned_devices (
  room_id INTEGER NOT NULL,
  device_hash BLOB NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (room_id, device_hash, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_banned_devices_user ON chat_banned_devices (user_id, room_id);

CREATE TABLE chat_bans (
  room_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  banned_at INTEGER NOT NULL,
  ends_at INTEGER,
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_bans_user ON chat_bans (user_id, room_id);

CREATE TABLE chat_doors (
  subject TEXT NOT NULL,
  kind INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  PRIMARY KEY (subject, kind, owner_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE chat_hearts (
  room_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  hearts INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_hearts_user ON chat_hearts (user_id, room_id);

CREATE TABLE chat_members (
  room_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  left_at INTEGER,
  last_post_at INTEGER NOT NULL, is_moderator INTEGER NOT NULL DEFAULT 0, read_through INTEGER NOT NULL DEFAULT 0, told_through INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_members_user ON chat_members (user_id, room_id);

CREATE TABLE chat_messages (
  room_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  id INTEGER NOT NULL,
  author_id INTEGER NOT NULL,
  author_name TEXT NOT NULL,
  text TEXT NOT NULL,
  posted_at INTEGER NOT NULL, deleted_at INTEGER, removed_at INTEGER, event INTEGER NOT NULL DEFAULT 0, kind INTEGER NOT NULL DEFAULT 1, about TEXT NOT NULL DEFAULT '', blobs TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (room_id, number)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_messages_author ON chat_messages (author_id, room_id, number);

CREATE INDEX chat_messages_id ON chat_messages (id);

CREATE TABLE chat_poll_options (
  room_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  choice INTEGER NOT NULL,
  text TEXT NOT NULL,
  votes INTEGER NOT NULL,
  PRIMARY KEY (room_id, number, choice)
) WITHOUT ROWID, STRICT;

CREATE TABLE chat_polls (
  room_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  closes_at INTEGER, changed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (room_id, number)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_polls_changed ON chat_polls (room_id, changed);

CREATE TABLE chat_rooms (
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  subject TEXT NOT NULL,
  slow_mode INTEGER NOT NULL,
  next_number INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER
, owner_id INTEGER, taker_id INTEGER, take_fence INTEGER NOT NULL DEFAULT 0, take_ends_at INTEGER, active_at INTEGER NOT NULL DEFAULT 0, member_count INTEGER NOT NULL DEFAULT 0, hearts INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX chat_rooms_silent ON chat_rooms (active_at) WHERE kind = 3 AND closed_at IS NULL;

CREATE INDEX chat_rooms_subject ON chat_rooms (subject, kind, id);

CREATE INDEX chat_rooms_support ON chat_rooms (id) WHERE kind = 3 AND closed_at IS NULL;

CREATE TABLE chat_streams (
  room_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  PRIMARY KEY (room_id, user_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_streams_end ON chat_streams (ends_at);

CREATE INDEX chat_streams_user ON chat_streams (user_id);

CREATE TABLE chat_votes (
  room_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  choice INTEGER NOT NULL,
  PRIMARY KEY (room_id, number, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX chat_votes_user ON chat_votes (user_id, room_id, number);

CREATE TABLE identity_addresses (
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE identity_challenges (
  id BLOB NOT NULL,
  request_hash BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_challenges_expiry ON identity_challenges (expires_at);

CREATE TABLE identity_code_sends (
  key BLOB NOT NULL,
  recent BLOB NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (key)
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_code_sends_last ON identity_code_sends (last_at);

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
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_codes_expiry ON identity_codes (expires_at);

CREATE TABLE identity_contacts (
  user_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  lookup BLOB NOT NULL,
  claimed_at INTEGER NOT NULL,
  proved_at INTEGER,
  PRIMARY KEY (user_id, kind)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX identity_contacts_proved ON identity_contacts (kind, lookup) WHERE proved_at IS NOT NULL;

CREATE TABLE identity_credentials (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  public_key BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE INDEX identity_credentials_owner ON identity_credentials (owner_id, id);

CREATE TABLE identity_devices (
  user_id INTEGER NOT NULL,
  device_hash BLOB NOT NULL,
  id INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_hash)
) WITHOUT ROWID, STRICT;

CREATE TABLE identity_exports (
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  requested_at INTEGER NOT NULL,
  content BLOB,
  size INTEGER,
  files INTEGER,
  expires_at INTEGER, blob_id INTEGER, failed_at INTEGER,
  PRIMARY KEY (user_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_exports_expiry ON identity_exports (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX identity_exports_id ON identity_exports (id);

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
, is_machine INTEGER NOT NULL DEFAULT 0, is_withdrawn INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX identity_grants_changed ON identity_grants (changed_at);

CREATE UNIQUE INDEX identity_grants_held ON identity_grants (user_id, role, resource) WHERE revoked_at IS NULL;

CREATE INDEX identity_grants_history ON identity_grants (user_id, role, id);

CREATE INDEX identity_grants_holders ON identity_grants (resource, role) WHERE revoked_at IS NULL;

CREATE TABLE identity_login_failures (
  name_hash BLOB NOT NULL,
  device_id INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (name_hash, device_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_login_failures_last ON identity_login_failures (last_at);

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
) WITHOUT ROWID, STRICT;

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
, renewed_by BLOB, renewed_epoch INTEGER) STRICT;

CREATE INDEX identity_sessions_ended ON identity_sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX identity_sessions_idle ON identity_sessions (renewed_at) WHERE ended_at IS NULL;

CREATE INDEX identity_sessions_live ON identity_sessions (user_id, id) WHERE ended_at IS NULL;

CREATE INDEX identity_sessions_over ON identity_sessions (user_id, id) WHERE ended_at IS NOT NULL;

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
, about TEXT NOT NULL DEFAULT '', profile_version INTEGER NOT NULL DEFAULT 1, erases_at INTEGER, closed_from INTEGER, erased_at INTEGER, drop_at INTEGER, birth_date BLOB, photo_id INTEGER) STRICT;

CREATE INDEX identity_users_dropped ON identity_users (state, drop_at) WHERE drop_at IS NOT NULL;

CREATE INDEX identity_users_erased ON identity_users (erased_at) WHERE erased_at IS NOT NULL;

CREATE TABLE identity_verification_documents (
  user_id INTEGER NOT NULL,
  verification_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  blob_id INTEGER NOT NULL,
  PRIMARY KEY (user_id, verification_id, number)
) WITHOUT ROWID, STRICT;

CREATE TABLE identity_verifications (
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT NOT NULL,
  submitted_at INTEGER NOT NULL,
  reviewed_at INTEGER,
  reviewed_by INTEGER,
  PRIMARY KEY (user_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX identity_verifications_id ON identity_verifications (id);

CREATE INDEX identity_verifications_state ON identity_verifications (state, id);

CREATE TABLE media_blobs (
  id INTEGER PRIMARY KEY,
  content BLOB NOT NULL,
  kind INTEGER NOT NULL,
  size INTEGER NOT NULL,
  state INTEGER NOT NULL,
  failure TEXT NOT NULL,
  content_type TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  duration_ms INTEGER
) STRICT;

CREATE TABLE media_contents (
  content BLOB NOT NULL,
  kind INTEGER NOT NULL,
  blob_id INTEGER NOT NULL,
  PRIMARY KEY (content, kind)
) WITHOUT ROWID, STRICT;

CREATE TABLE media_holdings (
  blob_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (blob_id, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX media_holdings_share ON media_holdings (blob_id, id);

CREATE INDEX media_holdings_user ON media_holdings (user_id, blob_id);

CREATE TABLE media_quotas (
  user_id INTEGER PRIMARY KEY,
  day INTEGER NOT NULL,
  uploads INTEGER NOT NULL
) STRICT;

CREATE TABLE media_renditions (
  blob_id INTEGER NOT NULL,
  profile TEXT NOT NULL,
  content BLOB,
  content_type TEXT NOT NULL,
  codecs TEXT NOT NULL,
  size INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  bit_rate INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  playlist TEXT NOT NULL,
  PRIMARY KEY (blob_id, profile)
) WITHOUT ROWID, STRICT;

CREATE TABLE media_uploads (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  state INTEGER NOT NULL,
  declared_length INTEGER,
  declared_hash BLOB,
  durable_offset INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  store_upload BLOB NOT NULL,
  blob_id INTEGER,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX media_uploads_expiry ON media_uploads (expires_at);

CREATE INDEX media_uploads_user ON media_uploads (user_id, id);

CREATE TABLE media_uses (
  blob_id INTEGER NOT NULL,
  subject TEXT NOT NULL,
  slot TEXT NOT NULL,
  user_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (blob_id, subject, slot)
) WITHOUT ROWID, STRICT;

CREATE INDEX media_uses_share ON media_uses (blob_id, id);

CREATE INDEX media_uses_subject ON media_uses (subject, blob_id, slot);

CREATE TABLE notify_addresses (
  lookup BLOB PRIMARY KEY,
  stopped_at INTEGER,
  mail_day INTEGER NOT NULL,
  mail_count INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE INDEX notify_addresses_day ON notify_addresses (mail_day) WHERE stopped_at IS NULL;

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
) STRICT;

CREATE INDEX notify_broadcasts_ended ON notify_broadcasts (ended_at);

CREATE TABLE notify_choices (
  user_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  ways INTEGER NOT NULL,
  PRIMARY KEY (user_id, kind)
) WITHOUT ROWID, STRICT;

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
  settled_at INTEGER, taken_by BLOB, refused_by BLOB,
  PRIMARY KEY (user_id, number, way)
) WITHOUT ROWID, STRICT;

CREATE INDEX notify_deliveries_state ON notify_deliveries (state, note_id, way);

CREATE TABLE notify_devices (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  lookup BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
, session_id INTEGER, name TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX notify_devices_session ON notify_devices (session_id) WHERE session_id IS NOT NULL;

CREATE INDEX notify_devices_user ON notify_devices (user_id, id);

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
) WITHOUT ROWID, STRICT;

CREATE INDEX notify_inbox_age ON notify_inbox (created_at);

CREATE UNIQUE INDEX notify_inbox_key ON notify_inbox (user_id, dedup_key);

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
) WITHOUT ROWID, STRICT;

CREATE INDEX notify_outside_age ON notify_outside (created_at);

CREATE UNIQUE INDEX notify_outside_key ON notify_outside (lookup, dedup_key);

CREATE INDEX notify_outside_sender ON notify_outside (sender_id) WHERE sender_id IS NOT NULL;

CREATE TABLE notify_senders (
  user_id INTEGER PRIMARY KEY,
  day INTEGER NOT NULL,
  sent INTEGER NOT NULL
) STRICT;

CREATE TABLE notify_templates (
  kind TEXT NOT NULL,
  language TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  version INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  changed_by INTEGER NOT NULL,
  PRIMARY KEY (kind, language)
) WITHOUT ROWID, STRICT;

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
) STRICT;

CREATE TABLE octet_blob_references (
  content BLOB NOT NULL REFERENCES octet_blobs (id),
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (content, kind, key)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_blob_store (
  id INTEGER PRIMARY KEY,
  mark BLOB NOT NULL,
  is_marked INTEGER NOT NULL
) STRICT;

CREATE TABLE octet_blob_trash (
  upload BLOB NOT NULL,
  content BLOB,
  PRIMARY KEY (upload)
) WITHOUT ROWID, STRICT;

CREATE TABLE octet_blob_uploads (
  id BLOB NOT NULL,
  content BLOB,
  size INTEGER,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID, STRICT;

CREATE INDEX octet_blob_uploads_expiry ON octet_blob_uploads (expires_at);

CREATE TABLE octet_blobs (
  id BLOB NOT NULL,
  upload BLOB NOT NULL,
  size INTEGER NOT NULL,
  unreferenced_since INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (id)
) WITHOUT ROWID, STRICT;

CREATE INDEX octet_blobs_unreferenced ON octet_blobs (unreferenced_since) WHERE unreferenced_since IS NOT NULL;

CREATE INDEX octet_blobs_upload ON octet_blobs (upload);

CREATE TABLE queue_entries (
  event_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  user_id INTEGER,
  state INTEGER NOT NULL,
  is_lobby INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  number INTEGER,
  ticket_expires_at INTEGER,
  PRIMARY KEY (event_id, id)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX queue_entries_alive ON queue_entries (event_id, user_id) WHERE state <= 2;

CREATE UNIQUE INDEX queue_entries_number ON queue_entries (event_id, number) WHERE number IS NOT NULL;

CREATE UNIQUE INDEX queue_entries_sequence ON queue_entries (event_id, sequence);

CREATE INDEX queue_entries_tickets ON queue_entries (event_id, ticket_expires_at) WHERE state = 2;

CREATE INDEX queue_entries_user ON queue_entries (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE queue_events (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  lobby_from INTEGER NOT NULL,
  opens_at INTEGER NOT NULL,
  step_ns INTEGER NOT NULL,
  burst INTEGER NOT NULL,
  ticket_ns INTEGER NOT NULL,
  cap INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  closed_at INTEGER,
  waiting INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  admitted INTEGER NOT NULL,
  called_id INTEGER NOT NULL,
  called_sequence INTEGER NOT NULL,
  full_at INTEGER NOT NULL
) STRICT;

CREATE INDEX queue_events_closed ON queue_events (closed_at) WHERE closed_at IS NOT NULL;

CREATE INDEX queue_events_live ON queue_events (opens_at) WHERE closed_at IS NULL;

CREATE TABLE queue_presence (
  event_id INTEGER NOT NULL,
  entry_id INTEGER NOT NULL,
  process INTEGER NOT NULL,
  unseen_since INTEGER,
  PRIMARY KEY (event_id, entry_id, process)
) WITHOUT ROWID, STRICT;

CREATE TABLE queue_processes (
  id INTEGER PRIMARY KEY,
  beat_at INTEGER NOT NULL
) STRICT;

CREATE INDEX queue_processes_beat ON queue_processes (beat_at);

CREATE TABLE rides_cities (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  currency TEXT NOT NULL,
   
  table_version INTEGER NOT NULL
) STRICT;

CREATE TABLE rides_documents (
  id INTEGER PRIMARY KEY,
  driver_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  state INTEGER NOT NULL,
  year INTEGER NOT NULL,
  month INTEGER NOT NULL,
  day INTEGER NOT NULL,
   
  expires_at INTEGER NOT NULL,
  blob_reference TEXT NOT NULL,
  rejection TEXT NOT NULL
) STRICT;

CREATE INDEX rides_documents_driver ON rides_documents (driver_id, kind, id);

CREATE TABLE rides_drivers (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  city_id INTEGER NOT NULL,
  display_name TEXT NOT NULL,
  state INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX rides_drivers_user ON rides_drivers (user_id);

CREATE INDEX rides_dues ON rides_rides (rider_id) WHERE state = 10;

CREATE TABLE rides_exclusions (
  ride_id INTEGER NOT NULL,
  driver_id INTEGER NOT NULL,
  PRIMARY KEY (ride_id, driver_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE rides_fare_tables (
  city_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  category TEXT NOT NULL,
  valid_from INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
   
  body BLOB NOT NULL,
  PRIMARY KEY (city_id, version)
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX rides_live_driver ON rides_rides (driver_id) WHERE state IN (5, 6, 7);

CREATE UNIQUE INDEX rides_live_rider ON rides_rides (rider_id) WHERE is_live = 1;

CREATE TABLE rides_offers (
  id INTEGER PRIMARY KEY,
  ride_id INTEGER NOT NULL,
  driver_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
   
  state INTEGER NOT NULL,
   
  close_reason INTEGER NOT NULL,
  eta_s INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX rides_offers_accepted ON rides_offers (ride_id) WHERE state = 2;

CREATE INDEX rides_offers_ride ON rides_offers (ride_id, epoch);

CREATE TABLE rides_positions (
  driver_id INTEGER PRIMARY KEY,
  sequence INTEGER NOT NULL,
  measured_at INTEGER NOT NULL,
  latitude REAL NOT NULL,
  longitude REAL NOT NULL
, heard_at INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE rides_presences (
  driver_id INTEGER PRIMARY KEY,
  city_id INTEGER NOT NULL,
  state INTEGER NOT NULL,
   
  since INTEGER NOT NULL,
  offer_id INTEGER,
  ride_id INTEGER
, version INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX rides_presences_online ON rides_presences (city_id, driver_id) WHERE state > 1;

CREATE TABLE rides_quotes (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  city_id INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
   
  start_minute INTEGER NOT NULL,
   
  ride_id INTEGER,
   
  body BLOB NOT NULL
) STRICT;

CREATE INDEX rides_quotes_unused ON rides_quotes (id) WHERE ride_id IS NULL;

CREATE TABLE rides_rides (
  id INTEGER PRIMARY KEY,
  city_id INTEGER NOT NULL,
  rider_id INTEGER NOT NULL,
  quote_id INTEGER NOT NULL,
  category TEXT NOT NULL,
  method INTEGER NOT NULL,
  state INTEGER NOT NULL,
   
  is_live INTEGER NOT NULL,
  version INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  driver_id INTEGER,
  offer_id INTEGER,
  pin_tries INTEGER NOT NULL,
  requested_at INTEGER NOT NULL,
  search_ends_at INTEGER NOT NULL,
  assigned_at INTEGER,
  pickup_due_at INTEGER,
  arrived_at INTEGER,
  started_at INTEGER,
  ended_at INTEGER,
   
  meter BLOB,
   
  receipt BLOB,
  total INTEGER,
  received INTEGER NOT NULL,
  cancel_fee INTEGER,
  currency TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;

CREATE INDEX rides_rides_driver ON rides_rides (driver_id, id) WHERE driver_id IS NOT NULL;

CREATE INDEX rides_rides_rider ON rides_rides (rider_id, id);

CREATE INDEX rides_searching ON rides_rides (city_id, id) WHERE state = 3;

CREATE TABLE rides_sessions (
  driver_id INTEGER NOT NULL,
  session INTEGER NOT NULL, flush_wanted INTEGER NOT NULL DEFAULT 0, flushed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (driver_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE rides_trail (
  ride_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  measured_at INTEGER NOT NULL,
  latitude REAL NOT NULL,
  longitude REAL NOT NULL,
  accuracy_m REAL NOT NULL,
  speed_mps REAL,
  PRIMARY KEY (ride_id, epoch, sequence)
) WITHOUT ROWID, STRICT;

CREATE TABLE rides_vehicles (
  id INTEGER PRIMARY KEY,
  owner_id INTEGER NOT NULL,
   
  driver_id INTEGER,
  plate TEXT NOT NULL,
  category TEXT NOT NULL,
  seats INTEGER NOT NULL,
  model TEXT NOT NULL,
  color TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX rides_vehicles_driver ON rides_vehicles (driver_id) WHERE driver_id IS NOT NULL;

CREATE UNIQUE INDEX rides_vehicles_plate ON rides_vehicles (plate);

CREATE TABLE rides_zones (
  id INTEGER PRIMARY KEY,
  city_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
   
  corners BLOB NOT NULL,
  version INTEGER NOT NULL
) STRICT;

CREATE INDEX rides_zones_city ON rides_zones (city_id, id);

CREATE TABLE search_generations (
  generation INTEGER PRIMARY KEY,
  state INTEGER NOT NULL,
  kinds TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  live_at INTEGER,
  kind TEXT,
  after INTEGER NOT NULL,
  looked_at INTEGER NOT NULL
) STRICT;

CREATE TABLE search_rows (
  document INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (document, generation)
) WITHOUT ROWID, STRICT;

CREATE INDEX search_rows_by_generation ON search_rows (generation, document);

CREATE TABLE sight_notes (
  subject_id INTEGER NOT NULL, subject_kind TEXT NOT NULL, changed_at INTEGER NOT NULL,
  PRIMARY KEY (subject_id, subject_kind)) WITHOUT ROWID, STRICT;

CREATE INDEX sight_notes_by_time ON sight_notes (changed_at);

CREATE TABLE social_barriers (
  user_id INTEGER NOT NULL,
  other_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, other_id, kind)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_barriers_made ON social_barriers (user_id, kind, id);

CREATE INDEX social_barriers_other ON social_barriers (other_id);

CREATE TABLE social_comments (
  subject_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  subject_kind TEXT NOT NULL,
  author_id INTEGER NOT NULL,
  replied_to INTEGER,
  text TEXT NOT NULL,
  state INTEGER NOT NULL,
  score INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  edited_at INTEGER, is_open INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (subject_id, parent_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_comments_author ON social_comments (author_id, id);

CREATE INDEX social_comments_id ON social_comments (id);

CREATE INDEX social_comments_open ON social_comments (subject_id, is_open, id);

CREATE TABLE social_counters (
  subject_id INTEGER NOT NULL,
  counter TEXT NOT NULL,
  part INTEGER NOT NULL,
  subject_kind TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (subject_id, counter, part)
) WITHOUT ROWID, STRICT;

CREATE TABLE social_decisions (
  target_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  target_kind TEXT NOT NULL,
  report_id INTEGER NOT NULL,
  verdict INTEGER NOT NULL,
  measure INTEGER NOT NULL,
  policy INTEGER NOT NULL,
  author_id INTEGER NOT NULL,
  note TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  appealed_id INTEGER,
  PRIMARY KEY (target_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_decisions_id ON social_decisions (id);

CREATE TABLE social_follows (
  follower_id INTEGER NOT NULL,
  target_id INTEGER NOT NULL,
  target_kind TEXT NOT NULL,
  id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (follower_id, target_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_follows_audience ON social_follows (target_id, state, follower_id);

CREATE INDEX social_follows_made ON social_follows (follower_id, state, id);

CREATE INDEX social_follows_target ON social_follows (target_id, state, id);

CREATE TABLE social_link_uses (
  link_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (link_id, user_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_link_uses_user ON social_link_uses (user_id);

CREATE TABLE social_links (
  maker_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (maker_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_links_id ON social_links (id);

CREATE UNIQUE INDEX social_links_live ON social_links (maker_id, subject_id) WHERE revoked_at IS NULL;

CREATE INDEX social_links_subject ON social_links (subject_id, id);

CREATE TABLE social_mentions (
  comment_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  PRIMARY KEY (comment_id, position)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_mentions_user ON social_mentions (user_id);

CREATE TABLE social_quotas (
  user_id INTEGER NOT NULL,
  quota TEXT NOT NULL,
  day INTEGER NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (user_id, quota)
) WITHOUT ROWID, STRICT;

CREATE TABLE social_reactions (
  user_id INTEGER NOT NULL,
  subject_id INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  subject_kind TEXT NOT NULL,
  emoji TEXT NOT NULL,
  id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, subject_id, kind)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_reactions_made ON social_reactions (user_id, kind, id);

CREATE INDEX social_reactions_sort ON social_reactions (user_id, kind, subject_kind, id);

CREATE INDEX social_reactions_subject ON social_reactions (subject_id, kind, user_id);

CREATE TABLE social_reports (
  target_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  target_kind TEXT NOT NULL,
  reporter_id INTEGER NOT NULL,
  owner_id INTEGER,
  policy INTEGER NOT NULL,
  text TEXT NOT NULL,
  rank INTEGER NOT NULL,
  state INTEGER NOT NULL,
  taken_by INTEGER,
  decision_id INTEGER,
  appeal_text TEXT NOT NULL,
  appealed_by INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (target_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_reports_id ON social_reports (id);

CREATE UNIQUE INDEX social_reports_open ON social_reports (target_id, reporter_id) WHERE state IN (1, 2);

CREATE INDEX social_reports_owner ON social_reports (owner_id, id);

CREATE INDEX social_reports_queue ON social_reports (state, rank, id);

CREATE INDEX social_reports_reporter ON social_reports (reporter_id, id);

CREATE TABLE social_restraints (
  user_id INTEGER NOT NULL,
  decision_id INTEGER NOT NULL,
  until INTEGER NOT NULL,
  made_by INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, decision_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE social_restrictions (
  user_id INTEGER PRIMARY KEY,
  until INTEGER NOT NULL,
  made_by INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE social_reviews (
  subject_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  subject_kind TEXT NOT NULL,
  key_id INTEGER NOT NULL,
  key_kind TEXT NOT NULL,
  author_id INTEGER NOT NULL,
  lowest INTEGER NOT NULL,
  highest INTEGER NOT NULL,
  aspect_names TEXT NOT NULL,
  score INTEGER NOT NULL,
  aspects TEXT NOT NULL,
  text TEXT NOT NULL,
  state INTEGER NOT NULL,
  blind_until INTEGER,
  editable_until INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  edited_at INTEGER, is_open INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (subject_id, id)
) WITHOUT ROWID, STRICT;

CREATE INDEX social_reviews_author ON social_reviews (author_id, id);

CREATE INDEX social_reviews_id ON social_reviews (id);

CREATE INDEX social_reviews_key ON social_reviews (key_id);

CREATE UNIQUE INDEX social_reviews_one ON social_reviews (subject_id, key_id, author_id) WHERE state <> 5;

CREATE INDEX social_reviews_open ON social_reviews (subject_id, is_open, id);

CREATE INDEX social_reviews_shown ON social_reviews (subject_id, state, id);

CREATE TABLE social_turns (
  number INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE social_word_lists (
  language TEXT NOT NULL,
  content BLOB NOT NULL,
  word_count INTEGER NOT NULL,
  version INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  changed_by INTEGER NOT NULL,
  PRIMARY KEY (language)
) WITHOUT ROWID, STRICT;
