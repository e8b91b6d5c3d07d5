import ChildProcess
import Foundation
import HTTP2

/// A certificate for localhost and 127.0.0.1 and the authority that signed it, made by the `openssl` command.
final class TestCertificate: Sendable {
  let directory: String
  var certificateFile: String { directory + "/certificate.pem" }
  var keyFile: String { directory + "/key.pem" }
  var authorityFile: String { directory + "/authority.pem" }

  init(names: String = "DNS:localhost,IP:127.0.0.1") throws {
    directory = NSTemporaryDirectory() + "octet-tls-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    try openssl(
      ["req", "-x509", "-subj", "/CN=Octet test authority", "-keyout", "authority.key", "-out", "authority.pem"] + curve
    )
    try issue(names: names)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Signs a new certificate, over the old one.
  func issue(names: String = "DNS:localhost,IP:127.0.0.1", subject: String = "/CN=localhost") throws {
    _ = try issue("certificate.pem", key: "key.pem", names: names, subject: subject)
  }

  /// Signs one more certificate.
  func issue(_ name: String, names: String, organization: String = "/O=Octet") throws -> TLSCertificateFiles {
    try issue("\(name).pem", key: "\(name).key", names: names, subject: "\(organization)/CN=\(name)")
  }

  private func issue(_ file: String, key: String, names: String, subject: String) throws -> TLSCertificateFiles {
    try openssl(
      ["req", "-new", "-subj", subject, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-keyout", key, "-out", "request.pem"])
    try Data("subjectAltName=\(names)\n".utf8).write(to: URL(fileURLWithPath: directory + "/names"))
    try openssl(
      ["x509", "-req", "-in", "request.pem", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"]
        + ["-days", "2", "-extfile", "names", "-out", file])
    return TLSCertificateFiles(certificate: "\(directory)/\(file)", key: "\(directory)/\(key)")
  }

  /// The files of the server's certificate.
  var files: TLSCertificateFiles { TLSCertificateFiles(certificate: certificateFile, key: keyFile) }

  /// The SHA-256 of a certificate as `openssl` tells it, in lower-case hexadecimal digits.
  static func fingerprint(_ file: String) throws -> String {
    let output = try ChildProcess.run("openssl", ["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]).output
    return output.split(separator: "=").last.map { $0.filter(\.isHexDigit).lowercased() } ?? ""
  }

  func serverConfiguration() -> TLSServerConfiguration? {
    try? TLSServerConfiguration(certificateFile: certificateFile, keyFile: keyFile)
  }

  func clientConfiguration(serverName: String? = nil) throws -> TLSClientConfiguration {
    try TLSClientConfiguration(authorityFile: authorityFile, serverName: serverName)
  }

  private func openssl(_ arguments: [String]) throws {
    let output = try ChildProcess.run("openssl", arguments, directory: directory)
    guard output.status == 0 else { throw Failure(text: output.errors) }
  }

  struct Failure: Error {
    let text: String
  }
}
