public import Storage

/// The tables that say which blobs there are and who refers to them.
///
/// Every upload is at any time in exactly one of `octet_blob_uploads`, `octet_blobs` and `octet_blob_trash`, or gone
/// for ever; its name is never used again. So a store deletes only what is in the trash, and needs no lock with those
/// who upload or refer at the same time (docs/adr/0017).
public enum BlobSchema {
  public static let migrations: [Migration] = [
    Migration(
      "blobs", 1, "uploads, blobs, references, trash",
      sql: """
        -- `content` and `size` are known once the upload is finished and waits to be adopted.
        -- distributed by id
        CREATE TABLE octet_blob_uploads (
          id BLOB NOT NULL,
          content BLOB,
          size INTEGER,
          expires_at INTEGER NOT NULL,
          PRIMARY KEY (id)
        ) WITHOUT ROWID;
        CREATE INDEX octet_blob_uploads_expiry ON octet_blob_uploads (expires_at);

        -- Led by the hash, so rows go to random places: this is the one table whose key is what one looks for.
        -- distributed by id
        CREATE TABLE octet_blobs (
          id BLOB NOT NULL,
          upload BLOB NOT NULL,
          size INTEGER NOT NULL,
          unreferenced_since INTEGER,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (id)
        ) WITHOUT ROWID;
        CREATE INDEX octet_blobs_unreferenced ON octet_blobs (unreferenced_since) WHERE unreferenced_since IS NOT NULL;
        CREATE INDEX octet_blobs_upload ON octet_blobs (upload);

        -- distributed by content
        CREATE TABLE octet_blob_references (
          content BLOB NOT NULL REFERENCES octet_blobs (id),
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (content, kind, key)
        ) WITHOUT ROWID;

        -- `content` tells where the bytes may be; NULL if the upload was given up before it was finished.
        -- distributed by upload
        CREATE TABLE octet_blob_trash (
          upload BLOB NOT NULL,
          content BLOB,
          PRIMARY KEY (upload)
        ) WITHOUT ROWID;
        """),
    Migration(
      "blobs", 2, "which store",
      sql: """
        -- One row: how the store of this database's contents is marked, and whether it has been.
        -- reference: one row that each node reads when it starts
        CREATE TABLE octet_blob_store (
          id INTEGER PRIMARY KEY,
          mark BLOB NOT NULL,
          is_marked INTEGER NOT NULL
        );
        """),
  ]
}
