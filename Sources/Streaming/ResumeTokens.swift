internal import Base
public import Cryptography

/// Makes and reads resume tokens: a position in a topic that a client can keep but not invent or use elsewhere.
public struct ResumeTokens: Sendable {
  private let key: SecretKey

  private static let version: UInt8 = 1
  private static let sequenceLength = 8
  private static let codeLength = 16

  /// - Parameter key: at least 16 bytes; a key for this purpose alone is derived from it.
  public init(key: SecretKey) {
    self.key = key.derived(for: "octet resume tokens")
  }

  /// The token of a subscriber that has seen everything up to `sequence`.
  public func make(_ topic: Topic, _ sequence: UInt64) -> String {
    var body = [Self.version]
    for shift in stride(from: 56, through: 0, by: -8) {
      body.append(UInt8(truncatingIfNeeded: sequence >> UInt64(shift)))
    }
    return Base64.url.encode(body + code(topic, body))
  }

  /// The sequence number in a token.
  /// - Throws: `TopicError.invalidResumeToken` if it was not made for this topic with this key.
  public func read(_ token: String, _ topic: Topic) throws(TopicError) -> UInt64 {
    let bodyLength = 1 + Self.sequenceLength
    guard let bytes = Base64.url.decode(token), bytes.count == bodyLength + Self.codeLength, bytes[0] == Self.version
    else { throw .invalidResumeToken }
    let body = Array(bytes.prefix(bodyLength))
    guard isEqualInConstantTime(Array(bytes.suffix(Self.codeLength)), code(topic, body)) else {
      throw .invalidResumeToken
    }
    return body.dropFirst().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func code(_ topic: Topic, _ body: [UInt8]) -> [UInt8] {
    // The body has a fixed length, so the topic that follows cannot be taken for a part of it.
    Hash.blake2b(body + Array(topic.name.utf8), key: key, length: Self.codeLength)
  }
}
