public import Base
public import Storage

/// Posts letters whose words may be stored nowhere in clear: codes.
///
/// A notice is kept with its words; a letter is not kept at all. What is written in the caller's transaction says only
/// whose letter it is (`LetterID`). The words come from its `LetterSource` when the letter goes out, and from there into
/// the spool or to the server that takes it further. A letter that commits goes out at least once, whatever crashes
/// afterwards, always under the same key; quiet hours, choices of channels and the mails of a day do not hold it up.
///
/// A domain is given the post, and declares its sources by `Domain.letters`. The notify domain carries the letters.
public struct LetterPost: Sendable {
  private let timers: Timers
  private let clock: any WallClock

  public init(timers: Timers, clock: any WallClock) {
    self.timers = timers
    self.clock = clock
  }

  /// Sends a letter with the caller's transaction. One with the same id that has not gone out yet gives way to it.
  public func send(_ letter: LetterID, by kind: ContactKind, in writer: any Writer) throws {
    try timers.set(Self.job(kind), key: letter.text, due: clock.now(), in: writer)
  }

  /// The kind of the jobs that carry letters of one sort. Each has a bound of its own, so that a mail server that falls
  /// silent does not hold up SMS.
  public static func job(_ kind: ContactKind) -> String {
    switch kind {
    case .email: "notify.letter.mail"
    case .phone: "notify.letter.sms"
    }
  }
}

/// Which letter: by what its source finds the rows that it is made of. It is stored in clear, so it names no address and
/// nothing secret.
public struct LetterID: Sendable, Equatable {
  public let source: String
  public let key: String

  /// - Parameter source: the name of a `LetterSource`.
  public init(_ source: String, key: String) {
    precondition(!source.contains("/"), "the name of a source of letters has no slash")
    self.source = source
    self.key = key
  }

  /// The key of its job.
  public var text: String { source + "/" + key }

  /// Nil for what is no such key.
  public init?(parsing text: String) {
    guard let slash = text.firstIndex(of: "/") else { return nil }
    self.init(String(text[..<slash]), key: String(text[text.index(after: slash)...]))
  }
}

/// Makes letters of one sort from the rows of its domain, at the moment when they go out.
public protocol LetterSource: Sendable {
  /// Unique among all domains, such as `identity.codes`.
  var name: String { get }

  /// The letter; nil if nobody needs it any more: it was overtaken by another, has expired, or there is nobody to get
  /// it. Called again for each try.
  func letter(_ key: String, in reader: any Reader) throws -> UnstoredLetter?
}

/// A letter that is about to go out.
public struct UnstoredLetter: Sendable {
  /// A printed id. It names the letter to whoever takes it further, so each try has the same, and no other letter.
  public let id: String
  /// Where its words come from; staff may write others, as for notices.
  public let kind: NoticeKind
  public let contact: ContactKind
  public let address: String
  /// BCP 47.
  public let language: String
  public let values: [String: NoticeValue]

  /// Traps unless there is a value of the right type for each name that the kind declares, and no other.
  public init(
    _ kind: NoticeKind, id: String, by contact: ContactKind, to address: String, language: String,
    _ values: [String: NoticeValue]
  ) {
    precondition(values.mapValues(\.type) == kind.values, "a letter of \(kind.name) with values that do not fit")
    self.id = id
    self.kind = kind
    self.contact = contact
    self.address = address
    self.language = language
    self.values = values
  }
}
