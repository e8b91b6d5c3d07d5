import Base
import DomainKit
import Storage

/// Who has sessions and rights. The numbers of users and credentials never meet: one generator makes both.
enum Holder: Sendable, Equatable {
  case user(Identifier)
  /// By its credential.
  case machine(Identifier)

  var id: Identifier {
    switch self {
    case .user(let id), .machine(let id): id
    }
  }

  var isMachine: Bool { if case .machine = self { true } else { false } }

  /// As the trail names it.
  var subject: SubjectID { SubjectID(isMachine ? IDKind.credential : IDKind.user, id) }
}

extension IdentityCore {
  var credentials: CredentialBook { CredentialBook(core: self) }

  /// Whose session it is, if they may go on, and the epoch of their grants.
  /// - Throws: `KitError.accountSuspended`, `.sessionEnded`.
  func holder(of session: SessionRow, in reader: any Reader) throws -> (holder: Holder, epoch: Int64) {
    if let user = try UserRow.find(session.user, in: reader) {
      guard user.state != .suspended else { throw KitError.accountSuspended }
      return (.user(user.id), user.grantsEpoch)
    }
    guard let credential = try CredentialRow.find(session.user, in: reader), credential.isLive(at: kit.clock.now()),
      let owner = try UserRow.find(credential.owner, in: reader)
    else { throw KitError.sessionEnded }
    if owner.state == .suspended { throw KitError.accountSuspended }
    guard owner.state == .new || owner.state == .active else { throw KitError.sessionEnded }
    return (.machine(credential.id), 0)
  }
}
