import Cryptography
import IdentityAPI
import NotifyAPI
import RPC
import Refusals
import WellKnownTypes

/// The generated clients, with the requests that most tests make.
struct Client: Sendable {
  let accounts: AccountServiceClient
  let sessions: SessionServiceClient
  let roles: RoleServiceClient
  let profiles: ProfileServiceClient
  let credentials: CredentialServiceClient
  let verifications: VerificationServiceClient
  let notifications: NotificationServiceClient

  init(channel: RPCChannel) {
    accounts = AccountServiceClient(channel)
    sessions = SessionServiceClient(channel)
    roles = RoleServiceClient(channel)
    profiles = ProfileServiceClient(channel)
    credentials = CredentialServiceClient(channel)
    verifications = VerificationServiceClient(channel)
    notifications = NotificationServiceClient(channel)
  }

  @discardableResult
  func register(
    _ handle: String, password: String = House.password, contact: RegisterRequest.Contact? = nil,
    requestID: String = newRequestID()
  ) async throws -> User {
    var request = RegisterRequest()
    request.requestID = requestID
    request.handle = handle
    request.password = password
    request.contact = contact
    return try await accounts.register(request)
  }

  func login(
    _ name: String, password: String = House.password, device: DeviceKey? = nil, requestID: String = newRequestID()
  ) async throws -> LoginResponse {
    var request = LoginRequest()
    request.requestID = requestID
    request.loginName = name
    request.password = password
    request.device = device?.proof(of: requestID)
    return try await sessions.login(request)
  }

  @discardableResult
  func stepUp(_ password: String = House.password, requestID: String = newRequestID()) async throws -> Session {
    var request = StepUpRequest()
    request.requestID = requestID
    request.password = password
    return try await sessions.stepUp(request)
  }

  @discardableResult
  func stepUp(code: String, requestID: String = newRequestID()) async throws -> Session {
    var request = StepUpRequest()
    request.requestID = requestID
    request.code = code
    return try await sessions.stepUp(request)
  }

  func challenge(_ method: String, device: DeviceKey? = nil) async throws -> Challenge {
    var request = GetChallengeRequest()
    request.method = method
    request.devicePublicKey = device?.publicKey ?? []
    return try await sessions.getChallenge(request)
  }

  @discardableResult
  func sendCode(_ contact: RegisterRequest.Contact) async throws -> SendCodeResponse {
    try await sendCode(
      for: {
        switch contact {
        case .email(let address): .email(address)
        case .phone(let number): .phone(number)
        }
      }())
  }

  @discardableResult
  func sendCode(for purpose: SendCodeRequest.Purpose?) async throws -> SendCodeResponse {
    var request = SendCodeRequest()
    request.requestID = newRequestID()
    request.purpose = purpose
    return try await accounts.sendCode(request)
  }

  @discardableResult
  func confirm(
    _ contact: RegisterRequest.Contact, code: String, requestID: String = newRequestID()
  ) async throws -> User {
    var request = ConfirmContactRequest()
    request.requestID = requestID
    switch contact {
    case .email(let address): request.contact = .email(address)
    case .phone(let number): request.contact = .phone(number)
    }
    request.code = code
    return try await accounts.confirmContact(request)
  }

  @discardableResult
  func sendResetCode(email: String, requestID: String = newRequestID()) async throws -> SendResetCodeResponse {
    var request = SendResetCodeRequest()
    request.requestID = requestID
    request.contact = .email(email)
    return try await accounts.sendResetCode(request)
  }

  @discardableResult
  func reset(
    email: String, code: String, to password: String, requestID: String = newRequestID()
  ) async throws -> Int32 {
    var request = ResetPasswordRequest()
    request.requestID = requestID
    request.contact = .email(email)
    request.code = code
    request.newPassword = password
    return try await accounts.resetPassword(request).endedCount
  }

  @discardableResult
  func changePassword(
    from old: String = House.password, to new: String, requestID: String = newRequestID()
  ) async throws -> Int32 {
    var request = ChangePasswordRequest()
    request.requestID = requestID
    request.oldPassword = old
    request.newPassword = new
    return try await accounts.changePassword(request).endedCount
  }

  @discardableResult
  func suspend(_ user: String) async throws -> User {
    var request = SuspendAccountRequest()
    request.requestID = newRequestID()
    request.userID = user
    return try await accounts.suspendAccount(request)
  }

  @discardableResult
  func restore(_ user: String) async throws -> User {
    var request = RestoreAccountRequest()
    request.requestID = newRequestID()
    request.userID = user
    return try await accounts.restoreAccount(request)
  }

  @discardableResult
  func closeAccount(requestID: String = newRequestID()) async throws -> User {
    var request = CloseAccountRequest()
    request.requestID = requestID
    return try await accounts.closeAccount(request)
  }

  func startExport(requestID: String = newRequestID()) async throws -> Export {
    var request = StartExportRequest()
    request.requestID = requestID
    return try await accounts.startExport(request)
  }

  func watchExport(_ id: String, resumeToken: String = "") -> ServerStreamingCall<WatchExportResponse> {
    var request = WatchExportRequest()
    request.exportID = id
    request.resumeToken = resumeToken
    return accounts.watchExport(request)
  }

  func profile(of user: String = "") async throws -> Profile {
    var request = GetProfileRequest()
    request.userID = user
    return try await profiles.getProfile(request)
  }

  func refresh(_ token: String, requestID: String = newRequestID()) async throws -> SessionTokens {
    var request = RefreshSessionRequest()
    request.requestID = requestID
    request.refreshToken = token
    return try await sessions.refreshSession(request).tokens ?? SessionTokens()
  }

  func logout(requestID: String = newRequestID()) async throws {
    var request = LogoutRequest()
    request.requestID = requestID
    _ = try await sessions.logout(request)
  }

  func list(pageSize: Int32 = 0, pageToken: String = "") async throws -> ListSessionsResponse {
    var request = ListSessionsRequest()
    request.pageSize = pageSize
    request.pageToken = pageToken
    return try await sessions.listSessions(request)
  }

  func end(_ session: String, requestID: String = newRequestID()) async throws -> Session {
    var request = EndSessionRequest()
    request.requestID = requestID
    request.sessionID = session
    return try await sessions.endSession(request)
  }

  func endAll(keepCurrent: Bool, requestID: String = newRequestID()) async throws -> Int32 {
    var request = EndAllSessionsRequest()
    request.requestID = requestID
    request.keepCurrent = keepCurrent
    return try await sessions.endAllSessions(request).endedCount
  }

  func grant(
    _ role: String, to user: String, on resource: String = "", until expireTime: Timestamp? = nil,
    requestID: String = newRequestID()
  ) async throws -> Grant {
    var request = GrantRoleRequest()
    request.expireTime = expireTime
    request.requestID = requestID
    request.userID = user
    request.role = role
    request.resourceID = resource
    return try await roles.grantRole(request)
  }

  func revoke(_ grant: String, requestID: String = newRequestID()) async throws -> Grant {
    var request = RevokeRoleRequest()
    request.requestID = requestID
    request.grantID = grant
    return try await roles.revokeRole(request)
  }

  func grants(of user: String = "", on resource: String = "") async throws -> [Grant] {
    try await grantPage(of: user, on: resource).grants
  }

  func grantPage(
    of user: String = "", on resource: String = "", pageSize: Int32 = 0, pageToken: String = ""
  ) async throws -> ListRolesResponse {
    var request = ListRolesRequest()
    (request.userID, request.resourceID) = (user, resource)
    (request.pageSize, request.pageToken) = (pageSize, pageToken)
    return try await roles.listRoles(request)
  }
}

/// What tests of machines do.
extension Client {
  func createCredential(
    _ key: SigningKey, _ roles: [(role: String, resource: String)], expireTime: Timestamp? = nil
  ) async throws -> Credential {
    var request = CreateCredentialRequest()
    request.requestID = newRequestID()
    request.name = "till 3"
    request.kind = .terminal
    request.publicKey = key.publicKey
    request.roles = roles.map { role, resource in
      var message = CredentialRole()
      message.role = role
      message.resourceID = resource
      return message
    }
    request.expireTime = expireTime
    return try await credentials.createCredential(request)
  }

  @discardableResult
  func revokeCredential(_ id: String) async throws -> Credential {
    var request = RevokeCredentialRequest()
    request.requestID = newRequestID()
    request.credentialID = id
    return try await credentials.revokeCredential(request)
  }

  func credentials(on resource: String = "", pageSize: Int32 = 0, pageToken: String = "") async throws
    -> ListCredentialsResponse
  {
    var request = ListCredentialsRequest()
    request.resourceID = resource
    request.pageSize = pageSize
    request.pageToken = pageToken
    return try await credentials.listCredentials(request)
  }

  func loginMachine(
    _ credential: String, _ key: SigningKey, signing text: String? = nil, requestID: String = newRequestID()
  ) async throws -> LoginResponse {
    var request = LoginRequest()
    request.requestID = requestID
    var machine = Machine()
    machine.credentialID = credential
    machine.signature = key.sign(Array((text ?? "octet login\n\(credential)\n\(requestID)").utf8))
    request.machine = machine
    return try await sessions.login(request)
  }
}

extension LoginResponse {
  var accessToken: String { tokens?.accessToken ?? "" }
  var refreshToken: String { tokens?.refreshToken ?? "" }
}

extension RegisterRequest.Contact {
  var address: String {
    switch self {
    case .email(let address): address
    case .phone(let number): number
    }
  }
}

/// A device's key pair.
struct DeviceKey: Sendable {
  let name: String
  private let key: SigningKey

  init(_ name: String) throws {
    self.name = name
    key = try SigningKey(seed: .random())
  }

  var publicKey: [UInt8] { key.publicKey }

  func proof(of requestID: String) -> Device {
    var device = Device()
    device.name = name
    device.publicKey = key.publicKey
    device.signature = key.sign(Array(requestID.utf8))
    return device
  }
}
