import Base
import Cryptography
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

extension AccountHandlers {
  func sendCode(_ request: SendCodeRequest, context: ServerContext) async throws -> SendCodeResponse {
    let caller = try context.requireCaller()
    let core = core
    let send: @Sendable (any Writer) throws -> CodeRow
    switch request.purpose {
    case .email(let text):
      let contact = try Contact.email(of: text)
      send = { try core.sendProvingCode(to: contact, for: caller.user, in: $0) }
    case .phone(let text):
      let contact = try Contact.phone(of: text)
      send = { try core.sendProvingCode(to: contact, for: caller.user, in: $0) }
    case .stepUp(let kind):
      let kind = try Self.contactKind(kind)
      send = { try core.sendStepUpCode(by: kind, to: caller.user, in: $0) }
    case nil: throw Self.missing("purpose")
    }
    return try await core.kit.mutate(request, context) { writer in
      let row = try send(writer)
      var response = SendCodeResponse()
      response.expireTime = Timestamp(row.expiresAt)
      response.resendTime = Timestamp(row.sentAt + CodeLimit.pause)
      return response
    }
  }

  func confirmContact(_ request: ConfirmContactRequest, context: ServerContext) async throws -> User {
    let caller = try context.requireCaller()
    let contact: Contact
    switch request.contact {
    case .email(let text): contact = try .email(of: text)
    case .phone(let text): contact = try .phone(of: text)
    case nil: throw Self.missing("contact")
    }
    let core = core
    let proof = try await CodeProof(
      request.code, .contact(caller.user, kind: contact.kind), sentTo: core.lookup(contact), core)
    let complete: @Sendable (inout User, any Writer) throws -> Void = { user, writer in
      try proof.forgive(in: writer)
      try user.addPersonalData(in: writer)
    }
    return try await core.kit.mutate(request, context, complete: complete) { writer in
      // Held first, as it is when a code is sent: of two who prove one contact at once the later one gets it.
      try CodeLimit.contact(.contact, core.lookup(contact)).hold(in: writer)
      try proof.use(now: core.kit.clock.now(), in: writer)
      return User(stored: try core.prove(contact, of: caller.user, in: writer))
    }
  }

  func sendResetCode(_ request: SendResetCodeRequest, context: ServerContext) async throws -> SendResetCodeResponse {
    let contact: Contact
    switch request.contact {
    case .email(let text): contact = try .email(of: text)
    case .phone(let text): contact = try .phone(of: text)
    case nil: throw Self.missing("contact")
    }
    try await core.challenges.requireOfAddressAboveRate(context, for: request)
    let core = core
    let lookup = core.lookup(contact)
    return try await core.kit.mutate(request, context, scope: .client(lookup)) { writer in
      // Whose contact it is, if anybody's, is looked up when the letter goes out: nothing here depends on it.
      let row = try core.codes.send(
        .reset(lookup: lookup), to: (contact.contactKind, lookup), sealed: nil, limits: [.contact(.reset, lookup)],
        in: writer)
      var response = SendResetCodeResponse()
      response.expireTime = Timestamp(row.expiresAt)
      response.resendTime = Timestamp(row.sentAt + CodeLimit.pause)
      return response
    }
  }

  func resetPassword(_ request: ResetPasswordRequest, context: ServerContext) async throws -> ResetPasswordResponse {
    let contact: Contact
    switch request.contact {
    case .email(let text): contact = try .email(of: text)
    case .phone(let text): contact = try .phone(of: text)
    case nil: throw Self.missing("contact")
    }
    let core = core
    let lookup = core.lookup(contact)
    let proof = try await CodeProof(request.code, .reset(lookup: lookup), sentTo: lookup, core)
    let owner = try await proof.fits ? core.owner(of: contact) : nil
    // Without the right code it is a refusal, or the repeat of a request that has its reply.
    let newHash = if let owner { try await newHash(request.newPassword, for: owner) } else { "" }
    let complete: @Sendable (inout ResetPasswordResponse, any Writer) throws -> Void = { _, writer in
      try proof.forgive(in: writer)
    }
    return try await core.kit.mutate(request, context, scope: .client(lookup), complete: complete) { writer in
      try proof.use(now: core.kit.clock.now(), in: writer)
      // Nobody, if the contact has gone or changed hands since the code was checked.
      guard let owner, try UserRow.find(contactKind: contact.kind, lookup: lookup, in: writer)?.id == owner.id,
        try UserRow.findForUpdate(owner.id, in: writer) != nil
      else { throw IdentityError.codeExpired }
      try writer.execute("UPDATE identity_users SET password_hash = $2 WHERE id = $1", owner.id, newHash)
      let live = try core.liveSessions(of: owner.id, in: writer)
      try core.endSessions(live, .passwordChanged, in: writer)
      try core.tell(owner.id, AccountNotices.passwordChanged, in: writer)
      var response = ResetPasswordResponse()
      response.endedCount = Int32(live.count)
      return response
    }
  }

  private static func contactKind(_ kind: IdentityAPI.ContactKind) throws(KitError) -> DomainKit.ContactKind {
    switch kind {
    case .email: return .email
    case .phone: return .phone
    default: throw missing("step_up")
    }
  }

  private static func missing(_ field: String) -> KitError {
    .invalid(FieldViolation(field: field, description: "required"))
  }
}
