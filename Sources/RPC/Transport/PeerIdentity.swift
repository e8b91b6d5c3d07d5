/// Who the peer has proved to be: what its certificate says, which the transport has verified against the authorities
/// it was told to trust. A class, as all calls of a connection share it.
public final class PeerIdentity: Sendable, Equatable {
  /// The certificate's subject in the form of RFC 2253: `CN=courier-7,O=Octet`.
  public let subject: String
  /// The alternative names of the kind DNS, as they stand in the certificate.
  public let dnsNames: [String]
  /// The alternative names of the kind URI, such as SPIFFE ids.
  public let uris: [String]
  /// The alternative names of the kind e-mail.
  public let emails: [String]
  /// SHA-256 of the whole certificate, 32 octets.
  public let fingerprint: [UInt8]

  public init(subject: String, dnsNames: [String], uris: [String], emails: [String], fingerprint: [UInt8]) {
    self.subject = subject
    self.dnsNames = dnsNames
    self.uris = uris
    self.emails = emails
    self.fingerprint = fingerprint
  }

  /// Whether both are the same certificate.
  public static func == (a: PeerIdentity, b: PeerIdentity) -> Bool {
    a.fingerprint == b.fingerprint
  }
}
