internal import Base
public import Cryptography

/// Makes and reads resume tokens: a position in a topic that a client can keep but not invent or use elsewhere.
public struct ResumeTokens: Sendable {
  private let key: SecretKey

  /// A topic of the first incarnation: the sequence number alone.
  private static let plainVersion: UInt8 = 1
  /// The sequence number and the incarnation.
  private static let version: UInt8 = 2
  private static let numberLength = 8
  private static let codeLength = 16

  /// - Parameter key: at least 16 bytes; a key for this purpose alone is derived from it.
  public init(key: SecretKey) {
    self.key = key.derived(for: "octet resume tokens")
  }

  /// The token of a subscriber that has seen everything up to this event.
  public func make(_ topic: Topic, _ event: TopicEvent) -> String {
    make(topic, TopicPosition(sequence: event.sequence, born: event.born))
  }

  func make(_ topic: Topic, _ position: TopicPosition) -> String {
    var body = [position.born == 0 ? Self.plainVersion : Self.version]
    let numbers = [position.sequence] + (position.born == 0 ? [] : [UInt64(bitPattern: position.born)])
    for number in numbers {
      for shift in stride(from: 56, through: 0, by: -8) {
        body.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
      }
    }
    return Base64.url.encode(body + code(topic, body))
  }

  /// The sequence number in a token.
  /// - Throws: `TopicError.invalidResumeToken` if it was not made for this topic with this key.
  public func read(_ token: String, _ topic: Topic) throws(TopicError) -> UInt64 {
    try position(token, topic).sequence
  }

  func position(_ token: String, _ topic: Topic) throws(TopicError) -> TopicPosition {
    guard let bytes = Base64.url.decode(token), let version = bytes.first else { throw .invalidResumeToken }
    let bodyLength = 1 + (version == Self.version ? 2 : 1) * Self.numberLength
    guard version == Self.version || version == Self.plainVersion, bytes.count == bodyLength + Self.codeLength else {
      throw .invalidResumeToken
    }
    let body = Array(bytes.prefix(bodyLength))
    guard isEqualInConstantTime(Array(bytes.suffix(Self.codeLength)), code(topic, body)) else {
      throw .invalidResumeToken
    }
    let numbers = body.dropFirst()
    return TopicPosition(
      sequence: Self.number(numbers.prefix(Self.numberLength)),
      born: Int64(bitPattern: Self.number(numbers.dropFirst(Self.numberLength))))
  }

  private static func number(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func code(_ topic: Topic, _ body: [UInt8]) -> [UInt8] {
    // The body has a fixed length, so the topic that follows cannot be taken for a part of it.
    Hash.blake2b(body + Array(topic.name.utf8), key: key, length: Self.codeLength)
  }
}
