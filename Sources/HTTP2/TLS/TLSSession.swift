internal import CLinux
internal import COpenSSL
internal import RPC

/// TLS on one connected socket; the one owner of an `SSL`. Confined to a loop.
///
/// The error queue of a thread is shared by all its connections: it is cleared before each call whose failure is
/// judged.
final class TLSSession {
  enum Handshake {
    case done
    case wantsRead
    case wantsWrite
  }

  private let handle: OpaquePointer
  /// Held because OpenSSL calls back into what it holds.
  private let context: TLSContext
  /// Of a client: whom it wants to speak to.
  let serverName: String
  private var isBroken = false

  /// - Parameters:
  ///   - descriptor: outlives this object.
  ///   - serverName: for a client, the name or address that the certificate must be for.
  init(_ context: TLSContext, descriptor: Int32, serverName: String?) throws(TLSError) {
    ERR_clear_error()
    guard let handle = SSL_new(context.handle) else { throw .take("connection") }
    self.handle = handle
    self.context = context
    self.serverName = serverName ?? ""
    guard SSL_set_fd(handle, descriptor) == 1 else { throw .take("connection") }
    if isServer {
      SSL_set_accept_state(handle)
    } else {
      SSL_set_connect_state(handle)
      try expect(self.serverName)
    }
  }

  deinit {
    SSL_free(handle)
  }

  private var isServer: Bool { context.isServer }

  private func expect(_ serverName: String) throws(TLSError) {
    if SocketAddress(host: serverName, port: 0) != nil {
      guard X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), serverName) == 1 else { throw .take("server name") }
    } else {
      guard !serverName.isEmpty, SSL_set1_host(handle, serverName) == 1,
        octet_ssl_set_server_name(handle, serverName) != 0
      else { throw .take("server name") }
    }
  }

  // MARK: Handshake

  /// Goes on with the handshake as far as the socket allows.
  func handshake() throws(TLSError) -> Handshake {
    ERR_clear_error()
    let result = SSL_do_handshake(handle)
    if result == 1 {
      if !isServer, !hasChosenHTTP2 {
        throw TLSError(operation: "handshake", message: "the peer does not speak h2")
      }
      return .done
    }
    switch SSL_get_error(handle, result) {
    case SSL_ERROR_WANT_READ: return .wantsRead
    case SSL_ERROR_WANT_WRITE: return .wantsWrite
    default: throw failure("handshake")
    }
  }

  /// What ALPN came to; known after the handshake.
  var hasChosenHTTP2: Bool {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(handle, &name, &length)
    return UnsafeBufferPointer(start: name, count: Int(length)).elementsEqual("h2".utf8)
  }

  private func failure(_ operation: String) -> TLSError {
    isBroken = true
    let verification = SSL_get_verify_result(handle)
    if operation == "handshake", verification != Int(X509_V_OK) {
      ERR_clear_error()
      return TLSError(operation: operation, message: String(cString: X509_verify_cert_error_string(verification)))
    }
    return .take(operation)
  }

  /// Who the peer has proved to be, after the handshake; nil if it has shown no certificate or none was verified.
  func peerIdentity() -> PeerIdentity? {
    guard SSL_get_verify_mode(handle) & SSL_VERIFY_PEER != 0, SSL_get_verify_result(handle) == Int(X509_V_OK),
      let certificate = SSL_get0_peer_certificate(handle)
    else { return nil }
    return TLSCertificate(certificate).identity
  }

  /// Offers a session of an earlier connection.
  func resume(_ session: TLSClientSession) {
    SSL_set_session(handle, session.handle)
  }

  /// Whether the handshake was shortened.
  var isResumed: Bool { SSL_session_reused(handle) == 1 }

  /// What operators see; nil before the end of the handshake.
  func inspect() -> InspectedTLS? {
    guard let cipher = SSL_get_current_cipher(handle), let name = SSL_CIPHER_standard_name(cipher) else { return nil }
    let remote = SSL_get1_peer_certificate(handle)
    defer { X509_free(remote) }
    return InspectedTLS(
      cipherSuite: String(cString: name), localCertificate: Self.octets(SSL_get_certificate(handle)),
      remoteCertificate: Self.octets(remote))
  }

  /// The certificate in DER.
  private static func octets(_ certificate: OpaquePointer?) -> [UInt8]? {
    guard let certificate else { return nil }
    var start: UnsafeMutablePointer<UInt8>?
    let count = i2d_X509(certificate, &start)
    guard count > 0, let start else { return nil }
    defer { CRYPTO_free(start, nil, 0) }
    return Array(UnsafeBufferPointer(start: start, count: Int(count)))
  }

  /// The session for a later connection, if the server has given one by now.
  func resumableSession() -> TLSClientSession? {
    guard let session = SSL_get1_session(handle) else { return nil }
    let owner = TLSClientSession(session)
    return SSL_SESSION_is_resumable(session) == 1 ? owner : nil
  }

  // MARK: Octets

  /// Receives as many records as fit into `buffer` and are there.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(ChannelError) -> ByteChannel.Outcome {
    var total = 0
    while total < buffer.count {
      ERR_clear_error()
      let result = SSL_read(handle, buffer.baseAddress.unsafelyUnwrapped + total, Int32(clamping: buffer.count - total))
      if result > 0 {
        total += Int(result)
        // Another call would ask the socket, mostly in vain.
        if !hasPending { break }
        continue
      }
      let code = SSL_get_error(handle, result)
      // What was received before an end or an error counts first; the next call reports the rest.
      if total > 0 { return .moved(total) }
      switch code {
      case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
      case SSL_ERROR_ZERO_RETURN: return .end
      default: throw .tls(failure("read"))
      }
    }
    return .moved(total)
  }

  /// Whether OpenSSL holds octets of the socket.
  var hasPending: Bool { SSL_has_pending(handle) == 1 }

  /// Sends what the socket takes of `bytes`; after `.wouldBlock` the same bytes must come again.
  func write(_ bytes: UnsafeRawBufferPointer) throws(ChannelError) -> ByteChannel.Outcome {
    ERR_clear_error()
    let result = SSL_write(handle, bytes.baseAddress, Int32(clamping: bytes.count))
    if result > 0 { return .moved(Int(result)) }
    switch SSL_get_error(handle, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
    default: throw .tls(failure("write"))
    }
  }

  /// Tells the peer that this is the end and not an attacker's cut.
  func sendCloseNotify() {
    guard !isBroken, SSL_is_init_finished(handle) == 1 else { return }
    ERR_clear_error()
    _ = SSL_shutdown(handle)
    ERR_clear_error()
  }
}
