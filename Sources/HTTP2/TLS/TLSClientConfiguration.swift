internal import Base
internal import COpenSSL

/// Whom a client trusts. Users of the library cannot switch off the verification of the chain and of the server's
/// name; the command-line client can, where a person asks for it with `--insecure`.
public final class TLSClientConfiguration: Sendable {
  let context: TLSContext
  /// The name or address that the certificate must be for; nil takes the target's host.
  let serverName: String?
  /// The last session that a server gave us, for a shorter handshake next time.
  private let session = Locked<TLSClientSession?>(nil)

  /// - Parameters:
  ///   - authorityFile: PEM with the authorities to trust; nil takes those of the system.
  ///   - serverName: the name or address that the certificate must be for; nil takes the target's host.
  public init(authorityFile: String? = nil, serverName: String? = nil) throws(TLSError) {
    context = try TLSContext.client(authorityFile: authorityFile)
    self.serverName = serverName
  }

  /// Trusts whoever answers: for a person who tries a server out, never for a program.
  /// - Parameter unverifiedServerName: the name to ask for; nil takes the target's host.
  package init(unverifiedServerName: String?) throws(TLSError) {
    context = try TLSContext.client(authorityFile: nil, verifiesServer: false)
    serverName = unverifiedServerName
  }

  func store(_ new: TLSClientSession) {
    session.withLock { $0 = new }
  }

  /// A ticket is good for one handshake, so that connections cannot be linked by it (RFC 8446 §C.4).
  func takeSession() -> TLSClientSession? {
    session.withLock { session in
      defer { session = nil }
      return session
    }
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
