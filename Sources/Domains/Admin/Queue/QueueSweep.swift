import Base
import Storage

/// Lets the records of queues age out that were closed long ago, and what processes left that died.
struct QueueSweep: Sweep {
  let name = "queues"
  let limits: QueueLimits
  let clock: any WallClock

  /// A process that was not heard of for so long follows nothing any more, and nobody follows what was closed so long ago.
  private static let presenceRetention = Duration.seconds(3600)

  func step(_ database: any Database) async throws -> Bool {
    let (old, silent, limit) = (
      clock.now() - limits.retention, clock.now() - Self.presenceRetention, limits.sweptAtOnce
    )
    let (event, over, process) = try await database.read { reader -> (Identifier?, Identifier?, Int64?) in
      (
        try reader.first("SELECT id FROM queue_events WHERE closed_at <= $1 ORDER BY closed_at LIMIT 1", old) { $0[0] },
        try reader.first(
          """
          SELECT q.id FROM queue_events q WHERE q.closed_at <= $1
            AND EXISTS (SELECT 1 FROM queue_presence p WHERE p.event_id = q.id) LIMIT 1
          """, silent
        ) { $0[0] },
        try reader.first("SELECT id FROM queue_processes WHERE beat_at <= $1 ORDER BY beat_at LIMIT 1", silent) {
          $0[0]
        }
      )
    }
    guard event != nil || over != nil || process != nil else { return false }
    try await database.write { writer in
      if let over {
        try writer.execute(
          """
          DELETE FROM queue_presence WHERE event_id = $1 AND entry_id IN (
            SELECT entry_id FROM queue_presence WHERE event_id = $1 ORDER BY entry_id LIMIT $2)
          """, over, limit)
      } else if let event {
        let gone = try writer.execute(
          """
          DELETE FROM queue_entries WHERE event_id = $1 AND id IN (
            SELECT id FROM queue_entries WHERE event_id = $1 ORDER BY id LIMIT $2)
          """, event, limit)
        if gone < limit { try writer.execute("DELETE FROM queue_events WHERE id = $1", event) }
      } else if let process {
        try writer.execute("DELETE FROM queue_processes WHERE id = $1 AND beat_at <= $2", process, silent)
      }
    }
    return true
  }
}
