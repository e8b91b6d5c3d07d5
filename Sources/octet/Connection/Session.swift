import Base
import Cryptography
import ProtobufRuntime
import RPC

/// Logging in, staying logged in, logging out, by octet.identity.v1.SessionService as the server's own descriptors
/// describe it.
extension Client {
  private static let sessionService = "octet.identity.v1.SessionService"
  /// A token is renewed when it has less than this left: a call that takes its time must not outlive it.
  private static let renewalMargin = Duration.seconds(30)

  /// The access token of the login, renewed if it is about to end; nil without a login for this address.
  func accessToken() async throws -> String? {
    guard let profile, profile.address == address, !profile.accessToken.isEmpty else { return nil }
    if isFresh(profile) || profile.refreshToken.isEmpty { return profile.accessToken }
    let lock = try await store.lock()
    defer { withExtendedLifetime(lock) {} }
    // Another run may have renewed it, or logged out, while this one waited.
    self.profile = try await store.load()
    guard let profile = self.profile, profile.address == address else { return nil }
    if !isFresh(profile) { try await renew(profile) }
    return self.profile?.accessToken
  }

  private func isFresh(_ profile: Profile) -> Bool {
    profile.accessExpiry == 0 || clock.now() + Self.renewalMargin < Instant(seconds: profile.accessExpiry)
  }

  private func renew(_ profile: Profile) async throws {
    do {
      let reply = try await unary(
        "\(Self.sessionService)/RefreshSession",
        .object([
          ("requestId", .string(profile.refreshRequestID)), ("refreshToken", .string(profile.refreshToken)),
        ]), authenticated: false, remedied: false)
      try keep(reply, user: profile.user)
    } catch let error as RPCError where error.code == .unauthenticated {
      throw RPCError(.unauthenticated, "the login has ended; run octet login", details: error.details)
    }
  }

  /// Logs in and keeps the tokens.
  func logIn(name: String, password: String, device: String) async throws {
    let request = JSONText.object([
      ("requestId", .string(RequestID.make())), ("loginName", .string(name)), ("password", .string(password)),
      ("device", .object([("name", .string(device))])),
    ])
    let reply = try await unary("\(Self.sessionService)/Login", request, authenticated: false)
    try keep(reply, user: reply.message("user")?.text("handle") ?? name)
  }

  static let stepUpMethod = sessionService + ".StepUp"

  /// Asks at the terminal for the password and proves with it who uses the session.
  func stepUp() async throws {
    Output.note("the server wants to know that it is still you")
    let password = try Prompt.secret("Password: ")
    let request = JSONText.object([("requestId", .string(RequestID.make())), ("password", .string(password))])
    _ = try await unary("\(Self.sessionService)/StepUp", request, remedied: false)
  }

  /// Solves a puzzle for a call that was refused without: takes a processor for a moment, or some.
  /// - Parameter method: its path, `octet.identity.v1.SessionService/Login`.
  /// - Returns: what the call must carry as `octet-challenge`.
  func solveChallenge(for method: String) async throws -> String {
    let challenge = try await unary(
      "\(Self.sessionService)/GetChallenge", .object([("method", .string(method))]), authenticated: false,
      remedied: false)
    let bits = challenge.integer("zero_bits") ?? 0
    guard challenge.text("algorithm") == "sha256", bits <= UInt32.bitWidth else {
      throw LocalError("the server wants a puzzle solved that this program does not know")
    }
    Output.note("solving a puzzle that the server wants from those who ask often")
    let token = challenge.text("token")
    var number = 0
    while true {
      let solution = "\(token):\(number)"
      let hash = Hash.sha256(Array(solution.utf8))
      if hash.prefix(4).reduce(UInt32(0), { $0 << 8 | UInt32($1) }).leadingZeroBitCount >= bits { return solution }
      number += 1
    }
  }

  /// Ends the session and forgets the tokens, also if the server does not answer.
  func logOut() async throws {
    guard profile != nil else { return }
    defer { profile = nil }
    do {
      _ = try await unary("\(Self.sessionService)/Logout", .object([("requestId", .string(RequestID.make()))]))
    } catch {
      try store.remove()
      throw error
    }
    try store.remove()
  }

  /// Keeps the tokens of a reply.
  private func keep(_ reply: DynamicMessage, user: String) throws {
    guard let tokens = reply.message("tokens") else { throw RPCError(.internal, "the server sent no tokens") }
    var profile = Profile()
    profile.address = address
    profile.isPlaintext = global.isPlaintext || self.profile?.isPlaintext == true && self.profile?.address == address
    profile.caFile = global.caFile ?? (self.profile?.address == address ? self.profile?.caFile : nil) ?? ""
    profile.user = user
    profile.accessToken = tokens.text("access_token")
    profile.accessExpiry = tokens.message("access_expire_time")?.integer("seconds") ?? 0
    profile.refreshToken = tokens.text("refresh_token")
    profile.refreshRequestID = RequestID.make()
    self.profile = profile
    try store.save(profile)
  }
}
