import Base
import Cryptography
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// octet.identity.v1.AccountService.
struct AccountHandlers: AccountService {
  let core: IdentityCore

  func register(_ request: RegisterRequest, context: ServerContext) async throws -> User {
    let account = try NewAccount(request, now: core.kit.clock.now())
    try await core.challenges.requireOfAddressAboveRate(context, for: request)
    // Also when the handle is taken: a repeat of a request that succeeded looks like that until its row is read.
    let passwordHash = try await core.passwords.hash(request.password)
    return try await core.kit.mutate(
      request, context, scope: .client(Array(account.handle.key.utf8)), complete: User.addPersonalData
    ) { writer in
      let dropAt = core.kit.clock.now() + UnprovedAccounts.patience
      return User(stored: try core.register(account, passwordHash: passwordHash, dropAt: dropAt, in: writer))
    }
  }

  func changePassword(
    _ request: ChangePasswordRequest, context: ServerContext
  ) async throws -> ChangePasswordResponse {
    let caller = try context.requireCaller()
    let proof = try await PasswordProof(request.oldPassword, of: caller, core)
    // A repeat of a request that succeeded has the old password wrong, and gets its reply all the same.
    let newHash = proof.fits ? try await newHash(request.newPassword, for: proof.user) : ""
    let core = core
    let complete: @Sendable (inout ChangePasswordResponse, any Writer) throws -> Void = { _, writer in
      try proof.noteSuccess(in: writer)
    }
    return try await core.kit.mutate(request, context, complete: complete) { writer in
      let user = try proof.confirm(in: writer)
      try writer.execute("UPDATE identity_users SET password_hash = $2 WHERE id = $1", user.id, newHash)
      let others = try core.liveSessions(of: user.id, in: writer).filter { $0 != caller.session }
      try core.endSessions(others, .passwordChanged, in: writer)
      try core.tell(user.id, AccountNotices.passwordChanged, in: writer)
      var response = ChangePasswordResponse()
      response.endedCount = Int32(others.count)
      return response
    }
  }

  func newHash(_ password: String, for user: UserRow) async throws -> String {
    guard let handle = Handle(user.handle) else { preconditionFailure("a user has a strange handle") }
    let contacts = try await core.kit.database.read { [core] in try core.contacts(of: user.id, in: $0) }
    for contact in contacts.isEmpty ? [nil] : contacts.map(\.contact) as [Contact?] {
      if let lack = PasswordRules.weakness(of: password, handle: handle, contact: contact) {
        throw IdentityError.weakNewPassword(lack)
      }
    }
    return try await core.passwords.hash(password)
  }

  func suspendAccount(_ request: SuspendAccountRequest, context: ServerContext) async throws -> User {
    try await change(request.userID, request, context) { user, caller, writer in
      guard user.id != caller.user else { throw KitError.selfTarget(field: "user_id") }
      guard user.state == .new || user.state == .active else {
        throw KitError.wrongState(UserState(user.state).protoName)
      }
      // Whoever gives roles out must not be locked out by those who got theirs from there.
      guard
        try !core.authority.roles(of: user.id, in: writer).holds(RoleCatalog.admin)
          || core.authority.roles(of: caller.user, in: writer).holds(RoleCatalog.admin)
      else { throw KitError.permissionDenied }
      try core.endSessions(core.liveSessions(of: user.id, in: writer), .suspended, in: writer)
      try core.credentials.endSessions(of: user.id, .suspended, in: writer)
      return .suspended
    }
  }

  func restoreAccount(_ request: RestoreAccountRequest, context: ServerContext) async throws -> User {
    try await change(request.userID, request, context) { user, _, writer in
      let state: UserRow.State = user.level >= UserLevel.contact.rawValue ? .active : .new
      if user.state == .suspended { return state }
      guard try core.closing.lift(user.id, to: state, in: writer) else {
        throw KitError.wrongState(UserState(user.state).protoName)
      }
      return .closing
    }
  }

  /// Changes the state of somebody's account to what `judge` says.
  private func change(
    _ userID: String, _ request: some MutatingRequest, _ context: ServerContext,
    _ judge: @escaping @Sendable (UserRow, Caller, any Writer) throws -> UserRow.State
  ) async throws -> User {
    let caller = try context.requireCaller()
    let id = try Identifier(userID, kind: IDKind.user, field: "user_id")
    return try await core.kit.mutate(request, context, complete: User.addPersonalData) { writer in
      guard let user = try UserRow.findForUpdate(id, in: writer), user.state != .erased else {
        throw KitError.notFound("user")
      }
      let state = try judge(user, caller, writer)
      try writer.execute("UPDATE identity_users SET state = $2 WHERE id = $1", id, state.rawValue)
      // Nobody could prove anything while the account was suspended.
      if state == .new { try core.prolongNew(id, in: writer) }
      try core.tell(
        id, state == .suspended ? AccountNotices.suspended : AccountNotices.restored, in: writer)
      try core.kit.subjects.visibilityChanged(of: SubjectID(IDKind.user, id), in: writer)
      var changed = User(stored: user)
      changed.state = UserState(state)
      return changed
    }
  }
}

extension UserState {
  init(_ state: UserRow.State) {
    self.init(rawValue: Int32(state.rawValue))
  }
}

extension User {
  /// The part that a stored reply may hold: nothing personal, so that erasing the account reaches all of it.
  init(stored row: UserRow) {
    self.init()
    id = row.id.text(kind: IDKind.user)
    state = UserState(row.state)
    level = UserLevel(rawValue: row.level)
    createTime = Timestamp(row.createdAt)
    eraseTime = row.erasesAt.map { Timestamp($0) }
  }

  /// Completes a stored reply.
  @Sendable static func addPersonalData(_ user: inout User, in reader: any Reader) throws {
    try user.addPersonalData(in: reader)
  }

  /// Adds the names from the user's row.
  mutating func addPersonalData(in reader: any Reader) throws {
    let user = try Identifier(id, kind: IDKind.user, field: "id")
    guard let row = try UserRow.find(user, in: reader) else { return }
    handle = row.handle
    displayName = row.displayName
  }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let session = "sess"
  static let grant = "grant"
  static let address = "addr"
  static let export = "export"
  static let credential = "cred"
  static let verification = "verif"
  static let upload = "upl"
  static let blob = "blob"
  static let code = "code"
}
