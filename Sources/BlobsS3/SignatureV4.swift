internal import Base
internal import Blobs
internal import Cryptography

/// Signs requests to S3: AWS Signature Version 4 in the `Authorization` header, by its public description.
struct SignatureV4: Sendable {
  let accessKey: String
  let secret: SecretKey
  let region: String

  /// SHA-256 of no bytes.
  static let emptyHash = HexText.text(Hash.sha256([]))

  /// The headers of a signed request: those given and the ones that signing adds.
  /// - Parameters:
  ///   - headers: names in lower case, `host` among them.
  ///   - bodyHash: SHA-256 of the body in hexadecimal digits.
  func sign(
    _ method: String, path: String, query: [(String, String)], headers: [(String, String)], bodyHash: String,
    at instant: Instant
  ) -> [(String, String)] {
    let time = Self.timestamp(instant)
    let date = String(time.prefix(8))
    let headers = (headers + [("x-amz-content-sha256", bodyHash), ("x-amz-date", time)]).sorted { $0.0 < $1.0 }
    let names = headers.map(\.0).joined(separator: ";")
    let canonical = [
      method, Self.encoded(path, keepsSlash: true), Self.query(query),
      headers.map { "\($0):\($1)\n" }.joined(), names, bodyHash,
    ].joined(separator: "\n")
    let scope = "\(date)/\(region)/s3/aws4_request"
    let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(HexText.text(Hash.sha256(Array(canonical.utf8))))"
    let signature = HexText.text(Hash.hmacSHA256(Array(text.utf8), key: signingKey(date)))
    let value =
      "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope),SignedHeaders=\(names),Signature=\(signature)"
    return headers + [("authorization", value)]
  }

  /// A query as it is signed and sent: sorted, encoded.
  static func query(_ query: [(String, String)]) -> String {
    query.map { (encoded($0), encoded($1)) }.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
  }

  /// Percent-encoding of everything but letters, digits and `-._~`.
  static func encoded(_ text: String, keepsSlash: Bool = false) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: "/") where keepsSlash:
        result.append("/")
      default:
        result += "%" + String(byte, radix: 16, width: 2).uppercased()
      }
    }
    return result
  }

  /// `20130524T000000Z`.
  static func timestamp(_ instant: Instant) -> String {
    String(instant.iso8601.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
  }

  private func signingKey(_ date: String) -> SecretKey {
    var first = Array("AWS4".utf8) + secret.withBytes { Array($0) }
    defer { wipe(&first) }
    return [date, region, "s3", "aws4_request"].reduce(SecretKey(first)) { key, step in
      var next = Hash.hmacSHA256(Array(step.utf8), key: key)
      defer { wipe(&next) }
      return SecretKey(next)
    }
  }
}
