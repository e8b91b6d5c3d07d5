import Base
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage

/// octet.identity.v1.VerificationService.
struct VerificationHandlers: VerificationService {
  /// The role of those who decide.
  static let reviewer = "ops"

  let core: IdentityCore
  let files: any Files

  private var kit: Kit { core.kit }

  func submitVerification(_ request: SubmitVerificationRequest, context: ServerContext) async throws -> Verification {
    let caller = try context.requireCaller()
    let documents = try request.documents.enumerated().map { index, document in
      let field = "documents[\(index)].upload_id"
      let upload = try Identifier(document.uploadID, kind: IDKind.upload, field: field)
      return (number: index + 1, kind: document.kind, upload: upload, field: field)
    }
    return try await kit.mutate(request, context) { [core, files] writer in
      // Held, so that two that are handed in at once know of each other.
      guard let user = try UserRow.findForUpdate(caller.user, in: writer) else { throw KitError.sessionEnded }
      if let last = try VerificationRow.newest(of: caller.user, in: writer),
        last.state == .pending || user.accountLevel == .verified
      {
        throw KitError.wrongState(last.state.protoName)
      }
      let id = core.kit.identifiers.next()
      try writer.execute(
        """
        INSERT INTO identity_verifications (user_id, id, state, reason, submitted_at) VALUES ($1, $2, $3, '', $4)
        """, caller.user, id, VerificationState.pending.rawValue, core.kit.clock.now())
      for document in documents {
        let file = try files.attach(
          document.upload, of: caller.user, to: SubjectID(IDKind.verification, id), as: "document\(document.number)",
          kind: .file, field: document.field, in: writer)
        try writer.execute(
          """
          INSERT INTO identity_verification_documents (user_id, verification_id, number, kind, blob_id)
          VALUES ($1, $2, $3, $4, $5)
          """, caller.user, id, document.number, document.kind.rawValue, file.blob)
      }
      guard let row = try VerificationRow.find(id, in: writer) else {
        preconditionFailure("a verification was written and is not there")
      }
      return try row.message(in: writer)
    }
  }

  func getVerification(_ request: GetVerificationRequest, context: ServerContext) async throws -> Verification {
    let caller = try context.requireCaller()
    let user =
      try request.userID.isEmpty ? caller.user : Identifier(request.userID, kind: IDKind.user, field: "user_id")
    let mayLook = user == caller.user || caller.roles.holds(anyOf: context.method.policy.roles)
    return try await kit.database.read { reader in
      guard mayLook, let row = try VerificationRow.newest(of: user, in: reader) else {
        throw KitError.notFound("verification")
      }
      return try row.message(in: reader)
    }
  }

  func listVerifications(
    _ request: ListVerificationsRequest, context: ServerContext
  ) async throws -> ListVerificationsResponse {
    let state = request.state == .unspecified ? nil : request.state
    let page = try kit.page(request, context)
    return try await kit.database.read { reader in
      let rows = try VerificationRow.list(state, after: page.lastID, limit: page.fetch, in: reader)
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListVerificationsResponse()
      response.verifications = try VerificationRow.messages(of: items, in: reader)
      response.nextPageToken = next
      return response
    }
  }

  func reviewVerification(_ request: ReviewVerificationRequest, context: ServerContext) async throws -> Verification {
    let caller = try context.requireCaller()
    let id = try Identifier(request.verificationID, kind: IDKind.verification, field: "verification_id")
    guard request.decision == .approved || request.decision == .rejected else {
      throw KitError.invalid(FieldViolation(field: "decision", description: "neither APPROVED nor REJECTED"))
    }
    return try await kit.mutate(request, context) { [core] writer in
      guard let found = try VerificationRow.find(id, in: writer) else { throw KitError.notFound("verification") }
      guard found.user != caller.user else { throw KitError.selfTarget(field: "verification_id") }
      // Held, so that an approval and an erasure at once know of each other.
      guard let user = try UserRow.findForUpdate(found.user, in: writer), user.state != .erased else {
        throw KitError.notFound("verification")
      }
      let decided = try writer.execute(
        """
        UPDATE identity_verifications SET state = $3, reason = $4, reviewed_at = $5, reviewed_by = $6
        WHERE user_id = $1 AND id = $2 AND state = $7
        """, found.user, id, request.decision.rawValue, request.reason, core.kit.clock.now(), caller.user,
        VerificationState.pending.rawValue)
      guard let row = try VerificationRow.find(id, in: writer) else { throw KitError.notFound("verification") }
      guard decided == 1 else { throw KitError.wrongState(row.state.protoName) }
      if row.state == .approved { try core.verify(user, by: caller.actor, in: writer) }
      try core.tell(
        user.id, row.state == .approved ? AccountNotices.verified : AccountNotices.notVerified,
        about: row.subject, in: writer)
      return try row.message(in: writer)
    }
  }
}

extension IdentityCore {
  /// Makes a user a verified one.
  fileprivate func verify(_ user: UserRow, by actor: AuditActor, in writer: any Writer) throws {
    try writer.execute(
      "UPDATE identity_users SET level = $2 WHERE id = $1", user.id, UserLevel.verified.rawValue)
    _ = try grants.grant(RoleCatalog.verified, to: .user(user.id), on: "", until: nil, by: actor, in: writer)
  }

  /// Makes a verified user one who has yet to prove who it is.
  func unverify(_ user: UserRow, in writer: any Writer) throws {
    let hasContact = try writer.exists(
      "SELECT 1 FROM identity_contacts WHERE user_id = $1 AND proved_at IS NOT NULL", user.id)
    try writer.execute(
      "UPDATE identity_users SET level = $2 WHERE id = $1", user.id,
      (hasContact ? UserLevel.contact : .none).rawValue)
    if let grant = try GrantRow.held(RoleCatalog.verified, on: "", by: user.id, in: writer) {
      try grants.revoke(grant, by: .server, in: writer)
    }
  }

  /// Takes back a user's documents, and forgets what was said of them.
  func eraseVerifications(of user: Identifier, in writer: any Writer) throws {
    for row in try VerificationRow.all(of: user, in: writer) {
      for document in try row.documents(in: writer) {
        try files?.detach(document.blob, from: row.subject, as: document.slot, in: writer)
      }
    }
    for table in ["identity_verification_documents", "identity_verifications"] {
      try writer.execute("DELETE FROM \(table) WHERE user_id = $1", user)
    }
  }
}
