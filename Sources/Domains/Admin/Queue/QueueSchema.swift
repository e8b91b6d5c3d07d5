import Storage

/// The tables of admission queues.
enum QueueSchema {
  static let migrations = [
    Migration(
      "queue", 1, "queues, their entries, and who is there",
      sql: """
        -- called_id is the last entry whose turn it was, 0 for none; called_sequence is 0 for one of the lobby. full_at is
        -- when as many may be admitted at once as ever.
        -- distributed by id
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
        );
        CREATE INDEX queue_events_live ON queue_events (opens_at) WHERE closed_at IS NULL;
        CREATE INDEX queue_events_closed ON queue_events (closed_at) WHERE closed_at IS NOT NULL;

        -- user_id is null once the user is erased. States 1 and 2 are alive: waiting and admitted.
        -- distributed by event_id
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
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX queue_entries_alive ON queue_entries (event_id, user_id) WHERE state <= 2;
        CREATE UNIQUE INDEX queue_entries_sequence ON queue_entries (event_id, sequence);
        CREATE UNIQUE INDEX queue_entries_number ON queue_entries (event_id, number) WHERE number IS NOT NULL;
        CREATE INDEX queue_entries_tickets ON queue_entries (event_id, ticket_expires_at) WHERE state = 2;
        CREATE INDEX queue_entries_user ON queue_entries (user_id) WHERE user_id IS NOT NULL;

        -- Which processes have streams of an entry: unseen_since is null, or when the last one ended. It is no part of the
        -- entry, so that those who call entries and those who write this never wait for each other.
        -- distributed by event_id
        CREATE TABLE queue_presence (
          event_id INTEGER NOT NULL,
          entry_id INTEGER NOT NULL,
          process INTEGER NOT NULL,
          unseen_since INTEGER,
          PRIMARY KEY (event_id, entry_id, process)
        ) WITHOUT ROWID;

        -- Processes that have streams, and when they were last heard of.
        -- reference: a row for each process of late
        CREATE TABLE queue_processes (
          id INTEGER PRIMARY KEY,
          beat_at INTEGER NOT NULL
        );
        CREATE INDEX queue_processes_beat ON queue_processes (beat_at);
        """)
  ]
}
