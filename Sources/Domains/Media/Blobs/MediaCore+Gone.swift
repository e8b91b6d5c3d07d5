import Base
import DomainKit
import Storage

/// The timer that takes its files from a thing that is gone, by the thing's printed id.
private let goneTimer = "media.gone"

extension MediaCore {
  /// The longest that a transaction takes which has begun to write when the thing was there still.
  private static let secondLook = Duration.seconds(60)
  private static let second = "second"

  func handleGone() {
    timers.handle(goneTimer) { [self] writer, timer in
      let words = timer.key.split(separator: "/")
      guard let subject = words.first.flatMap({ SubjectID(parsing: String($0)) }) else { return }
      let uses: [(blob: Identifier, slot: String)] = try writer.rows(
        "SELECT blob_id, slot FROM media_uses WHERE subject = $1 ORDER BY blob_id, slot LIMIT $2", subject.text,
        limits.removedAtOnce
      ) { ($0[0], $0[1]) }
      for (blob, slot) in uses { _ = try removeUse(of: blob, in: subject, as: slot, writer) }
      if !uses.isEmpty {
        try timers.set(goneTimer, key: timer.key, due: now, in: writer)
      } else if words.count == 1 {
        // What was made a part of it meanwhile.
        try timers.set(goneTimer, key: "\(subject.text)/\(Self.second)", due: now + Self.secondLook, in: writer)
      }
    }
  }
}

/// Takes its files from a thing that is gone.
struct GoneThings: SubjectObserver {
  let core: MediaCore

  /// Who sees a file is asked at each look.
  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {}

  func gone(_ subject: SubjectID, in writer: any Writer) throws {
    try core.timers.set(goneTimer, key: subject.text, due: core.now, in: writer)
  }
}
