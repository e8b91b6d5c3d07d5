import Storage

/// The tables of the admin domain.
enum AdminSchema {
  static let migrations = [
    Migration(
      "admin", 1, "flags, tables of dated rows",
      sql: """
        -- content is an octet.admin.v1.Flag with value and rules alone. put_at is how other nodes learn of it.
        -- reference: few rows, which every node keeps in memory
        CREATE TABLE admin_flags (
          name TEXT NOT NULL,
          version INTEGER NOT NULL,
          content BLOB NOT NULL,
          put_at INTEGER NOT NULL,
          PRIMARY KEY (name)
        ) WITHOUT ROWID;

        -- Whoever changes the rows of a key holds its row here.
        -- reference: few rows, which transactions of all domains look up
        CREATE TABLE admin_table_keys (
          table_name TEXT NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (table_name, key)
        ) WITHOUT ROWID;

        -- In force from from_at to just before to_at, which is the greatest integer for no end. content is an
        -- octet.admin.v1.TableRow with the values alone.
        -- reference: few rows, which transactions of all domains look up
        CREATE TABLE admin_table_rows (
          table_name TEXT NOT NULL,
          key TEXT NOT NULL,
          from_at INTEGER NOT NULL,
          to_at INTEGER NOT NULL,
          id INTEGER NOT NULL,
          version INTEGER NOT NULL,
          content BLOB NOT NULL,
          PRIMARY KEY (table_name, key, from_at)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX admin_table_rows_id ON admin_table_rows (id);
        """)
  ]
}
