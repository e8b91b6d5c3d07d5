import Storage

/// The tables of chat rooms.
enum ChatSchema {
  static let migrations = [
    Migration(
      "chat", 1, "rooms, members, messages",
      sql: """
        -- subject is the printed id of what the room is about. slow_mode is nanoseconds, 0 for none.
        -- distributed by id
        CREATE TABLE chat_rooms (
          id INTEGER PRIMARY KEY,
          kind INTEGER NOT NULL,
          subject TEXT NOT NULL,
          slow_mode INTEGER NOT NULL,
          next_number INTEGER NOT NULL,
          opened_at INTEGER NOT NULL,
          closed_at INTEGER
        );
        CREATE INDEX chat_rooms_subject ON chat_rooms (subject, kind, id);

        -- Members, those who were, and visitors who have posted. left_at is null for present members.
        -- distributed by room_id
        CREATE TABLE chat_members (
          room_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          left_at INTEGER,
          last_post_at INTEGER NOT NULL,
          PRIMARY KEY (room_id, user_id)
        ) WITHOUT ROWID;

        -- The author's name is kept as it was shown then; erasing the account clears it.
        -- distributed by room_id
        CREATE TABLE chat_messages (
          room_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          id INTEGER NOT NULL,
          author_id INTEGER NOT NULL,
          author_name TEXT NOT NULL,
          text TEXT NOT NULL,
          posted_at INTEGER NOT NULL,
          PRIMARY KEY (room_id, number)
        ) WITHOUT ROWID;
        """),
    Migration(
      "chat", 2, "the rooms of a member", sql: "CREATE INDEX chat_members_user ON chat_members (user_id, room_id);"),
    Migration(
      "chat", 3, "owners, support, moderators, bans, reading, streams",
      sql: """
        -- taker_id, take_fence and take_ends_at repeat the lease of staff on a support room. active_at is when somebody
        -- said something last, or when the room was opened. member_count counts the members who have not left.
        ALTER TABLE chat_rooms ADD COLUMN owner_id INTEGER;
        ALTER TABLE chat_rooms ADD COLUMN taker_id INTEGER;
        ALTER TABLE chat_rooms ADD COLUMN take_fence INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE chat_rooms ADD COLUMN take_ends_at INTEGER;
        ALTER TABLE chat_rooms ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE chat_rooms ADD COLUMN member_count INTEGER NOT NULL DEFAULT 0;
        UPDATE chat_rooms SET active_at = opened_at, member_count = (
          SELECT COUNT(*) FROM chat_members m WHERE m.room_id = chat_rooms.id AND m.left_at IS NULL);
        CREATE INDEX chat_rooms_support ON chat_rooms (id) WHERE kind = 3 AND closed_at IS NULL;
        CREATE INDEX chat_rooms_silent ON chat_rooms (active_at) WHERE kind = 3 AND closed_at IS NULL;

        -- told_through is the number of the last message that the member got a notice of.
        ALTER TABLE chat_members ADD COLUMN is_moderator INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE chat_members ADD COLUMN read_through INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE chat_members ADD COLUMN told_through INTEGER NOT NULL DEFAULT 0;

        -- event is the message's sequence number in the room's topic; 0 if it is not known. removed_at is when moderators
        -- decided that nobody sees it, which they may take back.
        ALTER TABLE chat_messages ADD COLUMN deleted_at INTEGER;
        ALTER TABLE chat_messages ADD COLUMN removed_at INTEGER;
        ALTER TABLE chat_messages ADD COLUMN event INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX chat_messages_id ON chat_messages (id);
        CREATE INDEX chat_messages_author ON chat_messages (author_id, room_id, number);

        -- Locked while a room is opened, so that a subject has one open room of a kind, and a user one of support.
        -- distributed by subject
        CREATE TABLE chat_doors (
          subject TEXT NOT NULL,
          kind INTEGER NOT NULL,
          owner_id INTEGER NOT NULL,
          PRIMARY KEY (subject, kind, owner_id)
        ) WITHOUT ROWID;

        -- ends_at is null for a ban without end.
        -- distributed by room_id
        CREATE TABLE chat_bans (
          room_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          banned_at INTEGER NOT NULL,
          ends_at INTEGER,
          PRIMARY KEY (room_id, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX chat_bans_user ON chat_bans (user_id, room_id);

        -- The devices of those who are banned.
        -- distributed by room_id
        CREATE TABLE chat_banned_devices (
          room_id INTEGER NOT NULL,
          device_hash BLOB NOT NULL,
          user_id INTEGER NOT NULL,
          PRIMARY KEY (room_id, device_hash, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX chat_banned_devices_user ON chat_banned_devices (user_id, room_id);

        -- Who is on a stream. ends_at is moved on while the stream's node lives.
        -- distributed by room_id
        CREATE TABLE chat_streams (
          room_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          ends_at INTEGER NOT NULL,
          PRIMARY KEY (room_id, user_id, id)
        ) WITHOUT ROWID;
        CREATE INDEX chat_streams_end ON chat_streams (ends_at);
        CREATE INDEX chat_streams_user ON chat_streams (user_id);
        """),
    Migration(
      "chat", 4, "messages of domains, files",
      sql: """
        -- kind is 1 for what somebody has said, 2 for a gift, 3 for what the server says; author_id is 0 for the server. about
        -- is the printed id of what the message is about, blobs those of the files that go with it, with spaces between.
        ALTER TABLE chat_messages ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE chat_messages ADD COLUMN about TEXT NOT NULL DEFAULT '';
        ALTER TABLE chat_messages ADD COLUMN blobs TEXT NOT NULL DEFAULT '';
        """),
    Migration(
      "chat", 5, "hearts and polls",
      sql: """
        -- hearts is the sum of the room's rows of chat_hearts.
        ALTER TABLE chat_rooms ADD COLUMN hearts INTEGER NOT NULL DEFAULT 0;

        -- What one user has given; what an erased account has given stays under a number that is nobody's.
        -- distributed by room_id
        CREATE TABLE chat_hearts (
          room_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          hearts INTEGER NOT NULL,
          last_at INTEGER NOT NULL,
          PRIMARY KEY (room_id, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX chat_hearts_user ON chat_hearts (user_id, room_id);

        -- Of messages of kind 4. closes_at is null for a poll that is open until somebody closes it.
        -- distributed by room_id
        CREATE TABLE chat_polls (
          room_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          closes_at INTEGER,
          PRIMARY KEY (room_id, number)
        ) WITHOUT ROWID;

        -- votes is the number of the option's rows of chat_votes.
        -- distributed by room_id
        CREATE TABLE chat_poll_options (
          room_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          choice INTEGER NOT NULL,
          text TEXT NOT NULL,
          votes INTEGER NOT NULL,
          PRIMARY KEY (room_id, number, choice)
        ) WITHOUT ROWID;

        -- As chat_hearts when an account is erased.
        -- distributed by room_id
        CREATE TABLE chat_votes (
          room_id INTEGER NOT NULL,
          number INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          choice INTEGER NOT NULL,
          PRIMARY KEY (room_id, number, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX chat_votes_user ON chat_votes (user_id, room_id, number);
        """),
    Migration(
      "chat", 6, "the order in which polls have changed",
      sql: """
        -- changed rises from change to change of the answers to a room's polls: the poll that changed last has the greatest.
        ALTER TABLE chat_polls ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX chat_polls_changed ON chat_polls (room_id, changed);
        """),
  ]
}
