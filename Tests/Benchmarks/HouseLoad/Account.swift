import Base
import IdentityAPI
import RPC

/// An account that a load has made for itself.
struct Account: Sendable {
  private static let password = "correct horse battery staple"
  /// For calls of many at once, on a machine that may be slow.
  static let timeout = Duration.seconds(300)

  let handle: String
  let sessions: SessionServiceClient
  /// Of the first login.
  let tokens: SessionTokens
  /// With the access token.
  let options: CallOptions

  /// Registers and logs in.
  init(handle: String, channel: RPCChannel) async throws {
    var registration = RegisterRequest()
    registration.requestID = RequestID.make()
    registration.handle = handle
    registration.password = Self.password
    _ = try await AccountServiceClient(channel).register(registration, options: CallOptions(timeout: Self.timeout))
    self.handle = handle
    sessions = SessionServiceClient(channel)
    tokens = try await Self.login(handle, sessions)
    var options = CallOptions(timeout: Self.timeout)
    try options.metadata.add("authorization", "Bearer \(tokens.accessToken)")
    self.options = options
  }

  /// Opens one more session.
  func login() async throws {
    _ = try await Self.login(handle, sessions)
  }

  private static func login(_ handle: String, _ sessions: SessionServiceClient) async throws -> SessionTokens {
    var login = LoginRequest()
    login.requestID = RequestID.make()
    login.loginName = handle
    login.password = password
    guard let tokens = try await sessions.login(login, options: CallOptions(timeout: timeout)).tokens else {
      throw RPCError(.internal, "a login without tokens")
    }
    return tokens
  }
}

enum RequestID {
  /// A UUID of version 7 (RFC 9562 §5.7): time-ordered, as the server's tables like it best.
  static func make() -> String {
    let random = SystemRandomSource()
    let milliseconds = UInt64(SystemClock().now().milliseconds)
    let high = milliseconds << 16 | 0x7000 | random.next() & 0xfff
    let low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
    return UUIDText.text([high, low].flatMap { word in (0..<8).map { UInt8(word >> (56 - $0 * 8) & 0xff) } })
  }
}
