import Base
import DomainKit
import Storage

/// Takes back the roles on a thing that is gone: nobody could use them, and nobody could give up the last one of an owner.
struct GoneGrants: SubjectObserver {
  /// Grants that one transaction takes back.
  private static let revokedAtOnce = 64

  let core: IdentityCore

  private var timer: GoneTimer { GoneTimer("identity.gone", timers: core.timers, clock: core.kit.clock) }

  /// Before the timers are started.
  func handleTimer() {
    timer.handle { [core] subject, writer in
      let grants = try GrantRow.all(on: subject, limit: Self.revokedAtOnce, in: writer)
      for grant in grants { try core.grants.revoke(grant, by: .server, in: writer) }
      return !grants.isEmpty
    }
  }

  /// Roles on what is hidden stay.
  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {}

  func gone(_ subject: SubjectID, in writer: any Writer) throws {
    // Comments come and go by the million, and nobody has a role on one.
    if core.kit.roles.areGranted(on: subject.kind) { try timer.begin(with: subject, in: writer) }
  }
}
