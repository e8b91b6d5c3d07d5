import Base
import DomainKit
import MediaAPI
import Storage

/// Looks whether what must always hold does hold.
struct MediaAudit {
  /// Things that are looked up at once.
  private static let pageSize = 256

  let reader: any Reader
  let subjects: SubjectRegistry

  func reports() throws -> [InvariantCheck] {
    try [
      report(
        1, "a finished upload has the declared length and hash", over: "media_uploads",
        violations: """
          SELECT u.id FROM media_uploads u JOIN media_blobs b ON b.id = u.blob_id
          WHERE u.state = \(UploadState.complete.rawValue) AND (u.durable_offset <> b.size
            OR (u.declared_length IS NOT NULL AND u.declared_length <> b.size)
            OR (u.declared_hash IS NOT NULL AND u.declared_hash <> b.content))
          """, kind: IDKind.upload),
      report(
        2, "a blob and what was made of it have their contents", over: "media_blobs",
        violations: """
          SELECT b.id FROM media_blobs b
          WHERE NOT EXISTS (SELECT 1 FROM octet_blobs o WHERE o.id = b.content AND o.size = b.size)
            OR (b.state = \(BlobState.ready.rawValue) AND EXISTS (
              SELECT 1 FROM media_renditions r WHERE r.blob_id = b.id AND NOT EXISTS (
                SELECT 1 FROM octet_blobs o WHERE o.id = r.content AND o.size = r.size)))
          """),
      report(
        13, "a blob has a share, and one content and kind has one blob", over: "media_blobs",
        violations: """
          SELECT b.id FROM media_blobs b
          WHERE NOT EXISTS (SELECT 1 FROM media_contents c
              WHERE c.content = b.content AND c.kind = b.kind AND c.blob_id = b.id)
            OR (NOT EXISTS (SELECT 1 FROM media_holdings h WHERE h.blob_id = b.id)
              AND NOT EXISTS (SELECT 1 FROM media_uses u WHERE u.blob_id = b.id))
          """),
      references(
        ContentOwner.holdingKind, over: "media_holdings",
        rows: """
          SELECT h.blob_id AS blob_id, b.content AS content,
            CAST(h.blob_id AS TEXT) || '/' || CAST(h.user_id AS TEXT) AS key
          FROM media_holdings h JOIN media_blobs b ON b.id = h.blob_id
          """),
      references(
        ContentOwner.useKind, over: "media_uses",
        rows: """
          SELECT u.blob_id AS blob_id, b.content AS content,
            CAST(u.blob_id AS TEXT) || '/' || u.subject || '/' || u.slot AS key
          FROM media_uses u JOIN media_blobs b ON b.id = u.blob_id
          """),
      references(
        ContentOwner.renditionKind, over: "media_renditions",
        rows: """
          SELECT r.blob_id AS blob_id, r.content AS content, CAST(r.blob_id AS TEXT) || '/' || r.profile AS key
          FROM media_renditions r JOIN media_blobs b ON b.id = r.blob_id WHERE r.content IS NOT NULL
          """),
      orphans(),
      stranded(),
    ]
  }

  /// Things that have files although they are gone, and nobody takes them away. A user's go with the account, step by step.
  private func orphans() throws -> InvariantCheck {
    var (checked, found, last) = (0, [String](), "")
    while found.count < InvariantCheck.shownLimit {
      let page: [String] = try reader.rows(
        "SELECT subject FROM media_uses WHERE subject > $1 GROUP BY subject ORDER BY subject LIMIT $2", last,
        Self.pageSize
      ) { $0[0] }
      guard let end = page.last else { break }
      last = end
      checked += page.count
      for text in page {
        guard let subject = SubjectID(parsing: text), subject.kind != IDKind.user, let kind = subjects[subject],
          try kind.facts(of: subject.id, in: reader) == nil, try !MediaCore.isRemoving(subject, in: reader)
        else { continue }
        found.append(text)
      }
    }
    return InvariantCheck(
      number: 13, statement: "the files of a thing that is gone go with it", rowsChecked: checked, violations: found)
  }

  /// Blobs that are to be looked at, or made something of, by no job.
  private func stranded() throws -> InvariantCheck {
    var found: [String] = []
    var last = Identifier(rawValue: .min)
    while found.count < InvariantCheck.shownLimit {
      let page: [(id: Identifier, state: BlobState)] = try reader.rows(
        """
        SELECT id, state FROM media_blobs
        WHERE state IN (\(BlobState.probing.rawValue), \(BlobState.transcoding.rawValue)) AND id > $1
        ORDER BY id LIMIT $2
        """, last, Self.pageSize
      ) { ($0[0], BlobState(rawValue: $0[1])) }
      guard let end = page.last else { break }
      last = end.id
      for (id, state) in page where try !isWorkedOn(id, state) { found.append(id.text(kind: IDKind.blob)) }
    }
    return InvariantCheck(
      number: 2, statement: "for a blob that is not ready yet there are jobs that will make it so",
      rowsChecked: try reader.first("SELECT COUNT(*) FROM media_blobs") { $0[0] } ?? 0, violations: found)
  }

  private func isWorkedOn(_ id: Identifier, _ state: BlobState) throws -> Bool {
    if state == .probing { return try hasJob(MediaWorker.probeKind, key: id.text(kind: IDKind.blob)) }
    let waiting: [String] = try reader.rows(
      "SELECT profile FROM media_renditions WHERE blob_id = $1 AND content IS NULL ORDER BY profile", id
    ) { $0[0] }
    return try !waiting.isEmpty
      && waiting.allSatisfy { try hasJob(MediaWorker.renderKind, key: MediaWorker.renderKey(id, $0)) }
  }

  private func hasJob(_ kind: String, key: String) throws -> Bool {
    try reader.exists("SELECT 1 FROM octet_timers WHERE kind = $1 AND key = $2", kind, key)
  }

  /// That the references of a kind are the rows of a table.
  /// - Parameter rows: selects blob_id, content and key of each row.
  private func references(_ kind: String, over table: String, rows: String) throws -> InvariantCheck {
    let missing: [String] = try reader.rows(
      """
      SELECT w.blob_id FROM (\(rows)) w WHERE NOT EXISTS (SELECT 1 FROM octet_blob_references r
        WHERE r.content = w.content AND r.kind = $1 AND r.key = w.key) LIMIT \(InvariantCheck.shownLimit)
      """, kind
    ) { ($0[0] as Identifier).text(kind: IDKind.blob) }
    let extra: [String] = try reader.rows(
      """
      SELECT content, key FROM octet_blob_references WHERE kind = $1
      EXCEPT SELECT content, key FROM (\(rows)) w LIMIT \(InvariantCheck.shownLimit)
      """, kind
    ) { "\(kind) \($0[1] as String)" }
    return InvariantCheck(
      number: 13, statement: "the references of kind \(kind) are the rows that name a blob",
      rowsChecked: try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0, violations: missing + extra)
  }

  private func report(
    _ number: Int, _ statement: String, over table: String, violations sql: String, kind: String = IDKind.blob
  ) throws -> InvariantCheck {
    InvariantCheck(
      number: number, statement: statement,
      rowsChecked: try reader.first("SELECT COUNT(*) FROM \(table)") { $0[0] } ?? 0,
      violations: try reader.rows(sql + " LIMIT \(InvariantCheck.shownLimit)") {
        ($0[0] as Identifier).text(kind: kind)
      })
  }
}
