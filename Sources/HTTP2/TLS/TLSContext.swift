internal import COpenSSL

/// The one owner of an `SSL_CTX`: settings shared by many connections, never changed once made. A connection holds it
/// as long as it lives, as OpenSSL calls back into what it holds.
final class TLSContext: @unchecked Sendable {
  // Unchecked because of the pointers, and of what is set once before anybody else sees the object. OpenSSL locks what
  // connections share.
  let handle: OpaquePointer
  let isServer: Bool
  /// Of a server: what seals its tickets.
  private(set) var ticketKeys: TicketKeys?
  /// Of a server with several certificates: finds the others.
  private var table: CertificateTable?

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

  /// For a server: the context of the first certificate, which knows the others.
  static func server(
    _ certificates: [TLSCertificateFiles], _ clientAuthorityFile: String?,
    _ clientAuthentication: TLSServerConfiguration.ClientAuthentication, ticketKeys: TicketKeys
  ) throws(TLSError) -> TLSContext {
    var contexts: [TLSContext] = []
    for files in certificates {
      let context = try TLSContext(isServer: true)
      try context.show(files.certificate, key: files.key)
      octet_ssl_ctx_select_protocol(context.handle)
      context.ticketKeys = ticketKeys
      let seconds = Int(HTTP2Limits.ticketKeyLifetime.components.seconds)
      guard octet_ssl_ctx_use_tickets_only(context.handle, seconds) != 0, ticketKeys.serve(context.handle) else {
        throw .take("tickets")
      }
      if let clientAuthorityFile { try context.ask(clientAuthorityFile, clientAuthentication) }
      contexts.append(context)
    }
    guard let first = contexts.first else {
      throw TLSError(operation: "configuration", message: "a server needs a certificate")
    }
    if contexts.count > 1 {
      let table = CertificateTable(contexts)
      table.serve(first.handle)
      first.table = table
    }
    return first
  }

  /// For a client that trusts the authorities of a PEM file, or else those of the system; or, without
  /// `verifiesServer`, whoever answers. It shows `certificate` if it is asked.
  static func client(
    authorityFile: String?, certificate: TLSCertificateFiles? = nil, verifiesServer: Bool = true
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(isServer: false)
    if let authorityFile {
      guard SSL_CTX_load_verify_file(context.handle, authorityFile) == 1 else {
        throw .take("authorities \(authorityFile)")
      }
    } else {
      guard SSL_CTX_set_default_verify_paths(context.handle) == 1 else { throw .take("authorities") }
    }
    SSL_CTX_set_verify(context.handle, verifiesServer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
    if let certificate { try context.show(certificate.certificate, key: certificate.key) }
    guard octet_ssl_ctx_offer_h2(context.handle) != 0 else { throw .take("ALPN") }
    octet_ssl_ctx_keep_client_sessions(context.handle)
    return context
  }

  /// Shows the certificate chain of a PEM file.
  private func show(_ certificateFile: String, key keyFile: String) throws(TLSError) {
    guard SSL_CTX_use_certificate_chain_file(handle, certificateFile) == 1 else {
      throw .take("certificate \(certificateFile)")
    }
    guard SSL_CTX_use_PrivateKey_file(handle, keyFile, SSL_FILETYPE_PEM) == 1,
      SSL_CTX_check_private_key(handle) == 1
    else { throw .take("key \(keyFile)") }
  }

  /// Asks clients for certificates of these authorities.
  private func ask(
    _ authorityFile: String, _ authentication: TLSServerConfiguration.ClientAuthentication
  ) throws(TLSError) {
    guard authentication != .none else { return }
    guard SSL_CTX_load_verify_file(handle, authorityFile) == 1, let names = SSL_load_client_CA_file(authorityFile)
    else { throw .take("authorities \(authorityFile)") }
    // The context owns the list from now on.
    SSL_CTX_set_client_CA_list(handle, names)
    let must = authentication == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
    SSL_CTX_set_verify(handle, SSL_VERIFY_PEER | must, nil)
  }

  /// The host names that the context's own certificate is for, in lower case.
  var certificateNames: [String] {
    guard let certificate = SSL_CTX_get0_certificate(handle) else { return [] }
    return (TLSCertificate(certificate).alternativeNames[GEN_DNS] ?? []).map { $0.lowercased() }
  }
}
