internal import Base
internal import COpenSSL

/// Whom a client trusts. Users of the library cannot switch off the verification of the chain and of the server's
/// name; the command-line client can, where a person asks for it with `--insecure`.
public final class TLSClientConfiguration: Sendable {
  let context: TLSContext
  /// The name or address that the certificate must be for; nil takes the target's host.
  let serverName: String?
  /// By server name, the last session that a server gave us, for a shorter handshake next time.
  private let sessions = Locked<[String: TLSClientSession]>([:])

  /// - Parameters:
  ///   - authorityFile: PEM with the authorities to trust; nil takes those of the system.
  ///   - serverName: the name or address that the certificate must be for; nil takes the target's host.
  ///   - certificate: what to show to a server that asks for a certificate.
  public init(
    authorityFile: String? = nil, serverName: String? = nil, certificate: TLSCertificateFiles? = nil
  ) throws(TLSError) {
    context = try TLSContext.client(authorityFile: authorityFile, certificate: certificate)
    self.serverName = serverName
  }

  /// Trusts whoever answers: for a person who tries a server out, never for a program.
  /// - Parameter unverifiedServerName: the name to ask for; nil takes the target's host.
  package init(unverifiedServerName: String?) throws(TLSError) {
    context = try TLSContext.client(authorityFile: nil, verifiesServer: false)
    serverName = unverifiedServerName
  }

  /// Keeps a session for the server of this name. A session is a proof of the name, so no other server gets it.
  func store(_ new: TLSClientSession, for serverName: String) {
    sessions.withLock { sessions in
      if sessions.count >= HTTP2Limits.clientSessions, sessions[serverName] == nil, let other = sessions.keys.first {
        sessions[other] = nil
      }
      sessions[serverName] = new
    }
  }

  /// A ticket is good for one handshake, so that connections cannot be linked by it (RFC 8446 §C.4).
  func takeSession(for serverName: String) -> TLSClientSession? {
    sessions.withLock { $0.removeValue(forKey: serverName) }
  }
}

/// The one owner of an `SSL_SESSION`.
final class TLSClientSession: @unchecked Sendable {
  // Unchecked because of the pointer: the object behind it is not changed any more.
  let handle: OpaquePointer

  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  deinit {
    SSL_SESSION_free(handle)
  }
}
