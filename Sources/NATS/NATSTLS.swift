internal import CLinux
internal import COpenSSL

/// Whom a bus trusts to be its server; the one owner of an `SSL_CTX`.
final class NATSTrust: @unchecked Sendable {
  // Unchecked because of the pointer: after `init` the object behind it is only read.
  fileprivate let handle: OpaquePointer

  /// - Parameter authorityFile: PEM with the authorities to trust; nil takes those of the system.
  init(authorityFile: String?) throws(NATSError) {
    ERR_clear_error()
    guard let handle = SSL_CTX_new(TLS_client_method()) else { throw NATSTLS.failure("trust") }
    self.handle = handle
    guard octet_ssl_ctx_use_modern_tls(handle) != 0 else { throw NATSTLS.failure("trust") }
    octet_ssl_ctx_tune(handle)
    let isTrusted =
      authorityFile.map { SSL_CTX_load_verify_file(handle, $0) } ?? SSL_CTX_set_default_verify_paths(handle)
    guard isTrusted == 1 else { throw NATSTLS.failure("read the authorities") }
    SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
  }

  deinit {
    SSL_CTX_free(handle)
  }
}

/// TLS on a connected socket, which outlives it; the one owner of an `SSL`. For one thread.
final class NATSTLS {
  private let handle: OpaquePointer
  private let trust: NATSTrust

  /// - Parameter host: the name or address that the certificate must be for.
  init(_ trust: NATSTrust, socket: Int32, host: String) throws(NATSError) {
    ERR_clear_error()
    guard let handle = SSL_new(trust.handle) else { throw Self.failure("connect") }
    self.handle = handle
    self.trust = trust
    var address = in6_addr()
    let isAddress = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    let expects =
      isAddress
      ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), host) == 1
      : SSL_set1_host(handle, host) == 1 && octet_ssl_set_server_name(handle, host) != 0
    guard expects, SSL_set_fd(handle, socket) == 1 else { throw Self.failure("connect") }
    SSL_set_connect_state(handle)
  }

  deinit {
    SSL_free(handle)
  }

  /// Goes on with the handshake as far as the socket allows.
  /// - Returns: whether it is over; if not, whether the socket must be writable to go on.
  func handshake() throws(NATSError) -> (isDone: Bool, wantsWrite: Bool) {
    ERR_clear_error()
    let result = SSL_do_handshake(handle)
    if result == 1 { return (true, false) }
    switch SSL_get_error(handle, result) {
    case SSL_ERROR_WANT_READ: return (false, false)
    case SSL_ERROR_WANT_WRITE: return (false, true)
    default:
      let verdict = SSL_get_verify_result(handle)
      guard verdict != Int(X509_V_OK) else { throw Self.failure("TLS handshake") }
      ERR_clear_error()
      throw NATSError(operation: "TLS handshake", message: String(cString: X509_verify_cert_error_string(verdict)))
    }
  }

  /// Whether something of the socket waits here, which no wait for the socket will tell.
  var hasPending: Bool { SSL_has_pending(handle) == 1 }

  func read(into buffer: inout [UInt8]) throws(NATSError) -> NATSSocket.Outcome {
    ERR_clear_error()
    let result = SSL_read(handle, &buffer, Int32(clamping: buffer.count))
    if result > 0 { return .bytes(Int(result)) }
    switch SSL_get_error(handle, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
    case SSL_ERROR_ZERO_RETURN: return .ended
    default: throw Self.failure("read")
    }
  }

  /// After `.wouldBlock` the same bytes must come again.
  func write(_ bytes: [UInt8], from start: Int) throws(NATSError) -> NATSSocket.Outcome {
    ERR_clear_error()
    let result = bytes.withUnsafeBytes { bytes in
      SSL_write(handle, bytes.baseAddress.map { $0 + start }, Int32(clamping: bytes.count - start))
    }
    if result > 0 { return .bytes(Int(result)) }
    switch SSL_get_error(handle, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
    default: throw Self.failure("write")
    }
  }

  /// Takes the thread's first error, which is the cause of the others.
  fileprivate static func failure(_ operation: String) -> NATSError {
    let code = ERR_get_error()
    ERR_clear_error()
    let reason = code == 0 ? nil : ERR_reason_error_string(code).map { String(cString: $0) }
    return NATSError(operation: operation, message: reason ?? "the connection ended")
  }
}
