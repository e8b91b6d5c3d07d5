internal import COpenSSL

/// The one owner of an `SSL_CTX`: settings shared by many connections, never changed once made.
final class TLSContext: @unchecked Sendable {
  // Unchecked because of the pointer: OpenSSL locks what connections share through it.
  let handle: OpaquePointer
  let isServer: Bool

  private init(isServer: Bool) throws(TLSError) {
    ERR_clear_error()
    guard let handle = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
      throw .take("context")
    }
    self.handle = handle
    self.isServer = isServer
    guard octet_ssl_ctx_use_modern_tls(handle) != 0 else { throw .take("context") }
    octet_ssl_ctx_tune(handle)
  }

  deinit {
    SSL_CTX_free(handle)
  }

  /// For a server with the certificate chain and the key of two PEM files.
  static func server(certificateFile: String, keyFile: String) throws(TLSError) -> TLSContext {
    let context = try TLSContext(isServer: true)
    guard SSL_CTX_use_certificate_chain_file(context.handle, certificateFile) == 1 else {
      throw .take("certificate \(certificateFile)")
    }
    guard SSL_CTX_use_PrivateKey_file(context.handle, keyFile, SSL_FILETYPE_PEM) == 1 else {
      throw .take("key \(keyFile)")
    }
    guard SSL_CTX_check_private_key(context.handle) == 1 else { throw .take("key \(keyFile)") }
    octet_ssl_ctx_select_protocol(context.handle)
    octet_ssl_ctx_use_tickets_only(context.handle)
    return context
  }

  /// For a client that trusts the authorities of a PEM file, or else those of the system; or, without
  /// `verifiesServer`, whoever answers.
  static func client(authorityFile: String?, verifiesServer: Bool = true) throws(TLSError) -> TLSContext {
    let context = try TLSContext(isServer: false)
    if let authorityFile {
      guard SSL_CTX_load_verify_file(context.handle, authorityFile) == 1 else {
        throw .take("authorities \(authorityFile)")
      }
    } else {
      guard SSL_CTX_set_default_verify_paths(context.handle) == 1 else { throw .take("authorities") }
    }
    SSL_CTX_set_verify(context.handle, verifiesServer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
    guard octet_ssl_ctx_offer_h2(context.handle) != 0 else { throw .take("ALPN") }
    octet_ssl_ctx_keep_client_sessions(context.handle)
    return context
  }
}
