/// One way out to people: to a mail server, to the servers of push messages, to a folder.
public protocol Outbound: Sendable {
  /// Whether letters to this address can be sent at all; asked before it is kept.
  func accepts(_ address: String) -> Bool

  /// Sends a letter. The same letter may come again after a crash: by its key a receiver can tell.
  func send(_ letter: OutboundLetter) async -> SendOutcome

  /// Ends what is under way, for good.
  func close() async
}

/// What is sent.
public struct OutboundLetter: Sendable, Equatable, Codable {
  /// The same for each try of one notice to one address: small letters, digits, `_`, `.`, `-`.
  public var key: String
  /// `push`, `mail` or `sms`.
  public var way: String
  public var address: String
  /// One line.
  public var title: String
  public var text: String
  /// What happened, such as `rides.driver_arrived`.
  public var kind: String
  /// The notice's printed id; that of the letter for one that is no notice.
  public var notice: String
  /// The printed id of what it is about; nil for nothing.
  public var object: String?
  /// Stops mails of this kind; nil where they cannot be stopped.
  public var unsubscribeToken: String?

  public init(
    key: String, way: String, address: String, title: String, text: String, kind: String, notice: String,
    object: String? = nil, unsubscribeToken: String? = nil
  ) {
    self.key = key
    self.way = way
    self.address = address
    self.title = title
    self.text = text
    self.kind = kind
    self.notice = notice
    self.object = object
    self.unsubscribeToken = unsubscribeToken
  }
}

/// What became of a letter. The reasons hold no address.
public enum SendOutcome: Sendable, Equatable {
  /// The other side has taken it over.
  case accepted
  /// Not now; the same letter may be sent again.
  case retry(String)
  /// Never.
  case refused(String)
  /// Never, nor anything else to this address.
  case gone(String)
}
