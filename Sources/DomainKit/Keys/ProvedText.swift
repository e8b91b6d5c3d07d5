import Base
public import Cryptography

/// A text that proves who made it: `PREFIX` `CONTENT` `.` `PROOF`, content and proof in base 64 (URL alphabet, no
/// padding). The proof covers all that stands before its dot.
public enum ProvedText {
  /// The content of a text.
  /// - Parameter fits: whether a proof is that of the octets before it.
  /// - Returns: nil for another prefix, a wrong proof, and what is no such text.
  static func content(
    of text: String, prefix: String, fits: (_ proof: [UInt8], _ proved: [UInt8]) -> Bool
  ) -> [UInt8]? {
    guard text.hasPrefix(prefix), let dot = text.lastIndex(of: "."),
      let proof = Base64.url.decode(String(text[text.index(after: dot)...])), fits(proof, Array(text[..<dot].utf8))
    else { return nil }
    return Base64.url.decode(String(text[..<dot].dropFirst(prefix.count)))
  }

  /// The text without its proof, which may be stored.
  public static func unproved(_ content: [UInt8], prefix: String) -> String { prefix + Base64.url.encode(content) }

  static func proved(_ unproved: String, by proof: [UInt8]) -> String { unproved + "." + Base64.url.encode(proof) }

  // MARK: By HMAC-SHA-256

  /// The content of a text that whoever has the key has made; nil for any other.
  public static func content(of text: String, prefix: String, key: SecretKey) -> [UInt8]? {
    content(of: text, prefix: prefix) { isEqualInConstantTime($0, Hash.hmacSHA256($1, key: key)) }
  }

  /// Adds the proof to an `unproved` text.
  public static func proved(_ unproved: String, key: SecretKey) -> String {
    proved(unproved, by: Hash.hmacSHA256(Array(unproved.utf8), key: key))
  }
}
