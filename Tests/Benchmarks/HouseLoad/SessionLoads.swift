import Base
import IdentityAPI
import RPC

/// Logins with the password: each costs the server one hash of it.
struct LoginLoad: Load {
  private let account: Account

  init(handle: String, channel: RPCChannel) async throws {
    account = try await Account(handle: handle, channel: channel)
  }

  func step(_ tally: inout Tally) async throws {
    try await tally.time { try await account.login() }
    tally.writes += 1
  }
}

/// A session that is refreshed: each refresh token is spent for the next pair.
final class RefreshLoad: Load {
  private let account: Account
  private let token: Locked<String>

  init(handle: String, channel: RPCChannel) async throws {
    account = try await Account(handle: handle, channel: channel)
    token = Locked(account.tokens.refreshToken)
  }

  func step(_ tally: inout Tally) async throws {
    var request = RefreshSessionRequest()
    request.requestID = RequestID.make()
    request.refreshToken = token.withLock { $0 }
    let response = try await tally.time { try await account.sessions.refreshSession(request, options: account.options) }
    token.withLock { $0 = response.tokens?.refreshToken ?? "" }
    tally.writes += 1
  }
}
