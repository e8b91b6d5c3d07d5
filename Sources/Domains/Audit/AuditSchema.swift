import Storage

/// The tables of the audit domain.
enum AuditSchema {
  static let migrations = [
    Migration(
      "audit", 1, "records, the end of their chain, signed heads",
      sql: """
        -- number and hash are null until a record is sealed. actor and object are printed ids, or empty. details: a line
        -- for each, its name, an equals sign, its value.
        -- local: the order of records comes from one sequence
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
        );
        CREATE UNIQUE INDEX audit_records_number ON audit_records (number) WHERE number IS NOT NULL;
        CREATE INDEX audit_records_waiting ON audit_records (id) WHERE number IS NULL;
        CREATE INDEX audit_records_created ON audit_records (created_at, id);
        CREATE INDEX audit_records_actor ON audit_records (actor, created_at, id);
        CREATE INDEX audit_records_object ON audit_records (object, created_at, id);
        CREATE INDEX audit_records_action ON audit_records (action, created_at, id);

        -- One row, from the first sealing on: the last record that was sealed.
        -- local: one row
        CREATE TABLE audit_chain (
          id INTEGER PRIMARY KEY,
          number INTEGER NOT NULL,
          hash BLOB NOT NULL
        );

        -- local: one an hour
        CREATE TABLE audit_heads (
          number INTEGER PRIMARY KEY,
          hash BLOB NOT NULL,
          signed_at INTEGER NOT NULL,
          signature BLOB NOT NULL
        );
        """)
  ]
}
