import Base
import Cryptography
import DomainKit
import IdentityAPI
import RPC
import Storage

/// SessionService.Login of a machine: its signature takes the place of name and password. Nobody guesses a signature, so
/// nothing is counted.
struct MachineLogin: Sendable {
  let core: IdentityCore

  /// What a machine signs.
  static func signedText(_ credential: String, requestID: String) -> [UInt8] {
    Array("octet login\n\(credential)\n\(requestID)".utf8)
  }

  func login(
    _ request: LoginRequest, as machine: Machine, _ context: ServerContext
  ) async throws -> LoginResponse {
    let id = try Identifier(machine.credentialID, kind: IDKind.credential, field: "machine.credential_id")
    let core = core
    let complete: @Sendable (inout LoginResponse, any Writer) throws -> Void = { reply, writer in
      try reply.session?.addPersonalData(in: writer)
      reply.tokens?.sign(core)
    }
    let scope = RequestScope.client(Array(IDKind.credential.utf8) + id.rawValue.bigEndianBytes)
    let address = context.peer.host
    return try await core.kit.mutate(request, context, scope: scope, complete: complete) { writer in
      // Both are held, so that a login and what ends sessions at once know of each other; the owner first, as where an
      // account is erased.
      guard let found = try CredentialRow.find(id, in: writer),
        SigningKey.isValid(
          machine.signature, of: Self.signedText(machine.credentialID, requestID: request.requestID),
          publicKey: found.publicKey),
        let owner = try UserRow.findForUpdate(found.owner, in: writer),
        let row = try CredentialRow.findForUpdate(id, in: writer), row.isLive(at: core.kit.clock.now())
      else { throw IdentityError.wrongCredentials }
      if owner.state == .suspended { throw KitError.accountSuspended }
      guard owner.state == .new || owner.state == .active else { throw IdentityError.wrongCredentials }
      let session = try core.openSession(of: id, device: nil, named: row.name, isKnown: true, address, in: writer)
      var response = LoginResponse()
      response.session = Session(stored: session, at: session.signedInAt, current: true)
      response.tokens = SessionTokens(unsigned: .machine(id), session, now: session.signedInAt)
      return response
    }
  }
}
