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
  ]
}
