internal import COpenSSL
internal import RPC

/// A certificate of OpenSSL, which it only looks into; valid as long as its owner.
struct TLSCertificate {
  private let handle: OpaquePointer

  /// - Parameter handle: an `X509`.
  init(_ handle: OpaquePointer) {
    self.handle = handle
  }

  /// The alternative names by kind: `GEN_DNS`, `GEN_URI`, `GEN_EMAIL`. Those with a NUL or other octets that are no
  /// text are left out: they are made to be misread.
  var alternativeNames: [Int32: [String]] {
    guard let list = octet_x509_alternative_names(handle) else { return [:] }
    defer { GENERAL_NAMES_free(list) }
    var names: [Int32: [String]] = [:]
    for index in 0..<octet_alternative_name_count(list) {
      var octets: UnsafePointer<UInt8>?
      var length: Int32 = 0
      let kind = octet_alternative_name(list, index, &octets, &length)
      let text = UnsafeBufferPointer(start: octets, count: Int(length))
      guard kind >= 0, text.allSatisfy({ (0x21...0x7e).contains($0) }) else { continue }
      names[kind, default: []].append(String(decoding: text, as: UTF8.self))
    }
    return names
  }

  /// What the certificate says of its owner.
  var identity: PeerIdentity {
    let names = alternativeNames
    let subject = withUnsafeTemporaryAllocation(of: CChar.self, capacity: HTTP2Limits.subjectSize) { text in
      let length = octet_x509_subject(handle, text.baseAddress, Int32(text.count))
      return String(
        decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<Int(length)]), as: UTF8.self)
    }
    var fingerprint = [UInt8](repeating: 0, count: 32)
    let result = X509_digest(handle, EVP_sha256(), &fingerprint, nil)
    precondition(result == 1, "SHA-256 of a certificate that was parsed")
    return PeerIdentity(
      subject: subject, dnsNames: names[GEN_DNS] ?? [], uris: names[GEN_URI] ?? [], emails: names[GEN_EMAIL] ?? [],
      fingerprint: fingerprint)
  }
}
