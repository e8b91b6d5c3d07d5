internal import Base
public import Cryptography
public import Storage

/// Makes and reads resume tokens: a position in a topic that a client can keep but not invent or use elsewhere.
public struct ResumeTokens: Sendable {
  private let key: SecretKey
  private let history: DatabaseHistory

  /// What a token says, by its version: each has the numbers of the one before and another one, and a token is of the
  /// first version that has all that are not 0. The first has the sequence number, the second also the incarnation, the
  /// third the history of the database.
  private static let versions: ClosedRange<UInt8> = 1...3
  private static let numberLength = 8
  private static let codeLength = 16

  /// - Parameters:
  ///   - key: at least 16 bytes; a key for this purpose alone is derived from it.
  ///   - history: of the database. Tokens of another one are too old, as their numbers may have been given again.
  public init(key: SecretKey, history: DatabaseHistory = .first) {
    self.history = history
    self.key = key.derived(for: "octet resume tokens")
  }

  /// The token of a subscriber that has seen everything up to this event.
  public func make(_ topic: Topic, _ event: TopicEvent) -> String {
    make(topic, TopicPosition(sequence: event.sequence, born: event.born))
  }

  func make(_ topic: Topic, _ position: TopicPosition) -> String {
    var numbers = [position.sequence, UInt64(bitPattern: position.born), history.number]
    while numbers.count > 1, numbers.last == 0 { numbers.removeLast() }
    var body = [UInt8(numbers.count)]
    for number in numbers {
      for shift in stride(from: 56, through: 0, by: -8) {
        body.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
      }
    }
    return Base64.url.encode(body + code(topic, body))
  }

  /// The sequence number in a token.
  /// - Throws: `TopicError.invalidResumeToken` if it was not made for this topic with this key; `.resumeTokenTooOld` if
  ///   the database was restored since.
  public func read(_ token: String, _ topic: Topic) throws(TopicError) -> UInt64 {
    try position(token, topic).sequence
  }

  func position(_ token: String, _ topic: Topic) throws(TopicError) -> TopicPosition {
    guard let bytes = Base64.url.decode(token), let version = bytes.first else { throw .invalidResumeToken }
    let bodyLength = 1 + Int(version) * Self.numberLength
    guard Self.versions.contains(version), bytes.count == bodyLength + Self.codeLength else {
      throw .invalidResumeToken
    }
    let body = Array(bytes.prefix(bodyLength))
    guard isEqualInConstantTime(Array(bytes.suffix(Self.codeLength)), code(topic, body)) else {
      throw .invalidResumeToken
    }
    /// Those that an earlier version has not are 0.
    func number(_ place: Int) -> UInt64 {
      body.dropFirst(1 + place * Self.numberLength).prefix(Self.numberLength).reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard number(2) == history.number else { throw .resumeTokenTooOld }
    return TopicPosition(sequence: number(0), born: Int64(bitPattern: number(1)))
  }

  private func code(_ topic: Topic, _ body: [UInt8]) -> [UInt8] {
    // The body has a fixed length, so the topic that follows cannot be taken for a part of it.
    Hash.blake2b(body + Array(topic.name.utf8), key: key, length: Self.codeLength)
  }
}
