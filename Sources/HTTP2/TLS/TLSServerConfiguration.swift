internal import Base

/// The certificates that a server shows, and those that it asks for. Can be reloaded while connections come and go: each
/// keeps what it began with.
///
/// A client that names the server it wants (SNI) gets the first certificate for that name, wildcards included; all
/// others get the first certificate of all.
public final class TLSServerConfiguration: Sendable {
  /// Whether clients are to show a certificate of theirs.
  public enum ClientAuthentication: Sendable, Hashable {
    /// They are not asked.
    case none
    /// They are asked; one that is shown must be good.
    case optional
    /// Without a good one there is no connection.
    case required
  }

  private let certificates: [TLSCertificateFiles]
  private let clientAuthorityFile: String?
  private let clientAuthentication: ClientAuthentication
  private let current: Locked<TLSContext>

  /// Reads the files.
  /// - Parameters:
  ///   - certificates: at least one; the first is shown to clients that ask for no name or an unknown one.
  ///   - clientAuthorityFile: PEM with the authorities whose clients are trusted; needed to ask for certificates.
  /// - Throws: `TLSError` if a file cannot be used, or if clients are to be asked without an authority.
  public init(
    certificates: [TLSCertificateFiles], clientAuthorityFile: String? = nil,
    clientAuthentication: ClientAuthentication = .none
  ) throws(TLSError) {
    guard clientAuthentication == .none || clientAuthorityFile != nil else {
      throw TLSError(operation: "configuration", message: "to ask for certificates needs an authority to trust")
    }
    self.certificates = certificates
    self.clientAuthorityFile = clientAuthorityFile
    self.clientAuthentication = clientAuthentication
    let context = try TLSContext.server(
      certificates, clientAuthorityFile, clientAuthentication, ticketKeys: TicketKeys())
    current = Locked(context)
  }

  /// For a server with one certificate that asks for none.
  /// - Parameters:
  ///   - certificateFile: PEM, the server's certificate first, then the chain.
  ///   - keyFile: PEM, the private key.
  public convenience init(certificateFile: String, keyFile: String) throws(TLSError) {
    try self.init(certificates: [TLSCertificateFiles(certificate: certificateFile, key: keyFile)])
  }

  /// Reads all files again, for connections to come. From any thread; reads the disk, so not on an event loop.
  ///
  /// Clients can resume their sessions after that, unless they are asked for certificates: whom the new authorities do
  /// not trust must not come in by an old ticket.
  /// - Throws: if one of them cannot be used; then everything stays as it was.
  public func reload() throws(TLSError) {
    let keys = clientAuthentication == .none ? context.ticketKeys : nil
    let context = try TLSContext.server(
      certificates, clientAuthorityFile, clientAuthentication, ticketKeys: keys ?? TicketKeys())
    current.withLock { $0 = context }
  }

  var context: TLSContext { current.withLock { $0 } }
}

/// A certificate with its key, as files.
public struct TLSCertificateFiles: Sendable, Hashable {
  /// PEM, the certificate first, then the chain.
  public var certificate: String
  /// PEM, the private key.
  public var key: String

  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }
}
