public import Base

/// The name of a stream of events: a kind and the thing it is about, e.g. `ride/ride_01j8z3k4m5n6p`.
public struct Topic: Sendable, Hashable, CustomStringConvertible {
  public let name: String

  /// - Parameters:
  ///   - kind: what sort of events, without a slash.
  ///   - key: which one of its sort.
  public init(_ kind: String, _ key: String) {
    precondition(!kind.isEmpty && !kind.contains("/"), "a topic's kind is a word")
    name = kind + "/" + key
  }

  /// A topic about the thing with this identifier. `kind` is that of the topic and of the identifier's text.
  public init(_ kind: String, _ id: Identifier) {
    self.init(kind, id.text(kind: kind))
  }

  /// The part before the slash.
  public var kind: Substring { name.prefix { $0 != "/" } }

  public var description: String { name }

  /// A topic by its whole name, as it is stored.
  init(named name: String) {
    self.name = name
  }
}

/// A place in a topic.
struct TopicPosition: Sendable, Equatable {
  var sequence: UInt64
  /// The incarnation that the topic was born in: it tells a topic from an earlier one of the same name, which ended and
  /// was removed, and whose numbers also began with 1.
  var born: Int64
}

/// One event of a lossless topic. All subscribers share one object.
public final class TopicEvent: Sendable {
  /// 1, 2, 3 … without gaps within the topic.
  public let sequence: UInt64

  /// What the publisher gave: usually an encoded message.
  public let payload: [UInt8]

  /// Which topic of this name it belongs to; see `TopicPosition`.
  let born: Int64

  private let prepared = Locked<(any Sendable)?>(nil)

  init(_ position: TopicPosition, payload: [UInt8]) {
    sequence = position.sequence
    born = position.born
    self.payload = payload
  }

  /// Something made from the event that all its subscribers can share, such as the frame that goes to each of them.
  /// Made by whoever asks first; everybody must ask for the same thing.
  public func shared<Value: Sendable>(_ make: (TopicEvent) throws -> Value) rethrows -> Value {
    if let value = prepared.withLock({ $0 as? Value }) { return value }
    // Two that ask at the same moment may both make it; they are equal.
    let value = try make(self)
    prepared.withLock { $0 = value }
    return value
  }
}

/// Why a subscription cannot begin or go on.
public enum TopicError: Error, Sendable, Equatable {
  /// Reason `RESUME_TOKEN_TOO_OLD`: what followed the token is gone. Start over from a snapshot.
  case resumeTokenTooOld
  /// The token was not made by this service for this topic.
  case invalidResumeToken
  /// Reason `SLOW_READER`: the reader fell too far behind. Come back with the token.
  case slowReader(lastToken: String)
  /// The service is shutting down. Come back with the last token.
  case closed
}
