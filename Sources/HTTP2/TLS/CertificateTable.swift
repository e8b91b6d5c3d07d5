internal import COpenSSL

/// Which certificate to show to a client that asks for a server by name (SNI).
final class CertificateTable: Sendable {
  private let exact: [String: TLSContext]
  /// By what follows `*.` in the certificate's name.
  private let wildcards: [String: TLSContext]

  /// - Parameter contexts: where two have the same name, the earlier one is taken.
  init(_ contexts: [TLSContext]) {
    var exact: [String: TLSContext] = [:]
    var wildcards: [String: TLSContext] = [:]
    for context in contexts {
      for name in context.certificateNames {
        if name.hasPrefix("*.") {
          let domain = String(name.dropFirst(2))
          wildcards[domain] = wildcards[domain] ?? context
        } else {
          exact[name] = exact[name] ?? context
        }
      }
    }
    self.exact = exact
    self.wildcards = wildcards
  }

  /// The certificate for `name`; a wildcard stands for one label (RFC 6125 §6.4.3).
  func context(for name: String) -> TLSContext? {
    let name = name.lowercased()
    if let found = exact[name] { return found }
    guard let dot = name.firstIndex(of: ".") else { return nil }
    return wildcards[String(name[name.index(after: dot)...])]
  }

  /// Has the certificate chosen by the client's wish; the context must not outlive this table. A name that is in no
  /// certificate gets the context's own, as does none.
  func serve(_ context: OpaquePointer) {
    octet_ssl_ctx_on_server_name(
      context,
      { ssl, _, argument in
        guard let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
          return SSL_TLSEXT_ERR_NOACK
        }
        let table = Unmanaged<CertificateTable>.fromOpaque(argument).takeUnretainedValue()
        guard let chosen = table.context(for: String(cString: name)) else { return SSL_TLSEXT_ERR_NOACK }
        return SSL_set_SSL_CTX(ssl, chosen.handle) == nil ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}
