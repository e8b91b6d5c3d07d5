import Base
import DomainKit
import Storage

extension MediaCore {
  private static let goneKind = "media.gone"
  fileprivate var goneTimer: GoneTimer { GoneTimer(Self.goneKind, timers: timers, clock: kit.clock) }

  /// Whether a thing's files are being taken from it.
  static func isRemoving(_ subject: SubjectID, in reader: any Reader) throws -> Bool {
    try GoneTimer.isUnderWay(goneKind, with: subject, in: reader)
  }

  func handleGone() {
    goneTimer.handle { [self] subject, writer in
      let uses: [(blob: Identifier, slot: String)] = try writer.rows(
        "SELECT blob_id, slot FROM media_uses WHERE subject = $1 ORDER BY blob_id, slot LIMIT $2", subject.text,
        limits.removedAtOnce
      ) { ($0[0], $0[1]) }
      for (blob, slot) in uses { _ = try removeUse(of: blob, in: subject, as: slot, writer) }
      return !uses.isEmpty
    }
  }
}

/// Takes its files from a thing that is gone.
struct GoneThings: SubjectObserver {
  let core: MediaCore

  /// Who sees a file is asked at each look.
  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {}

  func gone(_ subject: SubjectID, in writer: any Writer) throws { try core.goneTimer.begin(with: subject, in: writer) }
}
