import Base
import DomainKit
import IdentityAPI
import Storage

/// Credentials as other domains have them.
struct IdentityCredentials: Credentials {
  let core: IdentityCore

  func create(
    _ machine: NewMachine, of owner: Identifier, by actor: AuditActor, in writer: any Writer
  ) throws -> KnownMachine {
    try core.credentials.create(machine, of: owner, by: actor, in: writer).machine(at: core.kit.clock.now())
  }

  func machine(_ credential: Identifier, in reader: any Reader) throws -> KnownMachine? {
    try CredentialRow.find(credential, in: reader)?.machine(at: core.kit.clock.now())
  }

  func revoke(_ credential: Identifier, by actor: AuditActor, in writer: any Writer) throws {
    guard let row = try CredentialRow.findForUpdate(credential, in: writer) else { return }
    try core.credentials.revoke(row, by: actor, in: writer)
  }
}

extension CredentialRow {
  fileprivate func machine(at now: Instant) -> KnownMachine {
    KnownMachine(
      id: id, owner: owner, kind: kind, name: name, expiresAt: expiresAt, isLive: isLive(at: now))
  }
}
