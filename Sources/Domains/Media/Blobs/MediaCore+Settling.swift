import Base
import DomainKit
import MediaAPI
import Storage

/// The timer that tells the things of which a blob is a part that it is ready, or has failed, by the blob's printed id.
private let settledTimer = "media.settled"

extension MediaCore {
  /// To be called in the transaction in which a blob, whose row is held, becomes READY or FAILED.
  func tellThings(of blob: Identifier, in writer: any Writer) throws {
    try timers.set(settledTimer, key: blob.text(kind: IDKind.blob), due: now, in: writer)
  }

  /// In small transactions: thousands of things can have the same picture.
  func handleSettling() {
    timers.handle(settledTimer) { [self] writer, timer in
      let id = try Identifier.parse(timer.key, kind: IDKind.blob)
      guard let row = try BlobRow.lock(id, in: writer), row.state == .ready || row.state == .failed else { return }
      // Behind the last one of the transaction before: thing and slot.
      let last = String(decoding: timer.payload, as: UTF8.self).split(
        separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      let uses: [(subject: String, slot: String)] = try writer.rows(
        """
        SELECT subject, slot FROM media_uses WHERE blob_id = $1 AND (subject, slot) > ($2, $3)
        ORDER BY subject, slot LIMIT $4
        """, id, String(last[0]), last.count > 1 ? String(last[1]) : "", limits.removedAtOnce
      ) { ($0[0], $0[1]) }
      let file = StoredFile(row)
      for (subject, slot) in uses {
        guard let subject = SubjectID(parsing: subject) else { continue }
        try kit.subjects[subject]?.settled(file, as: slot, of: subject.id, in: writer)
      }
      guard let end = uses.last, uses.count == limits.removedAtOnce else { return }
      try timers.set(
        settledTimer, key: timer.key, due: now, payload: Array("\(end.subject)\n\(end.slot)".utf8), in: writer)
    }
  }
}
