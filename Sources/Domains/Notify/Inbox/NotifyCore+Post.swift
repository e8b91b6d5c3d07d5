import Base
import DomainKit
import NotifyAPI
import ProtobufRuntime
import Storage
import Streaming
import WellKnownTypes

/// A notice with the words for every language.
struct Posting {
  let kind: NoticeKind
  let key: String
  /// A printed id, or empty.
  let object: String
  let words: (_ language: String) throws -> NoticeWords
}

extension NotifyCore {
  /// An inbox that is this transaction's until it ends; nil if its user is about to be nobody, of whom nothing is kept. That
  /// is asked while the inbox is held, which an erasure takes before it deletes: what is not refused here, the erasure
  /// finds.
  func takeInbox(of user: Identifier, in writer: any Writer) throws -> Inbox? {
    let inbox = try Inbox.take(user, in: writer)
    guard try people.isLeaving(user, in: writer) else { return inbox }
    try Inbox.drop(inbox, in: writer)
    return nil
  }

  /// Writes a notice into an inbox, and its deliveries on the wanted ways.
  /// - Returns: whether it is new to the user.
  @discardableResult
  func post(_ posting: Posting, to user: Identifier, in writer: any Writer) throws -> Bool {
    // Held from here on: of two with one key the second sees the first's row.
    guard let inbox = try takeInbox(of: user, in: writer) else { return false }
    let isKnown = try writer.exists(
      "SELECT 1 FROM notify_inbox WHERE user_id = $1 AND dedup_key = $2", user, posting.key)
    if isKnown { return false }
    let words = try posting.words(people.preferences(of: user, in: writer).language)
    let entry = InboxEntry(
      user: user, number: inbox.lastNumber + 1, id: kit.identifiers.next(), kind: posting.kind.name,
      object: posting.object, title: words.title, text: words.text, createdAt: now)
    try writer.execute(
      """
      INSERT INTO notify_inbox (user_id, number, id, kind, dedup_key, object, title, text, created_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      """, user, entry.number, entry.id, entry.kind, posting.key, entry.object, entry.title, entry.text, entry.createdAt
    )
    try writer.execute("UPDATE notify_users SET last_number = $2 WHERE user_id = $1", user, entry.number)
    for way in try wantedWays(posting.kind, of: user, in: writer) {
      try queue(entry, by: way, posting.kind.importance, inbox, in: writer)
    }
    try kit.hub.publish(topic(of: user), in: writer) { _, token in
      var response = WatchInboxResponse()
      response.resumeToken = token
      response.event = .notice(NotifyAPI.Notice(entry, isUnread: true))
      return response.encoded()
    }
    return true
  }

  /// The ways on which a user wants notices of a kind and can be reached.
  private func wantedWays(_ kind: NoticeKind, of user: Identifier, in reader: any Reader) throws -> [Way] {
    let wanted = try chosenWays(kind, of: user, in: reader)
    if wanted.isEmpty { return [] }
    let proved: Set<ContactKind> =
      wanted.isDisjoint(with: [.mail, .sms]) ? [] : try contacts.provedContacts(of: user, in: reader)
    return try Way.allCases.filter { way in
      guard wanted.contains(way.option) else { return false }
      return switch way {
      case .mail: proved.contains(.email)
      case .sms: proved.contains(.phone)
      case .push: try reader.exists("SELECT 1 FROM notify_devices WHERE user_id = $1", user)
      }
    }
  }

  /// The ways that a user has chosen for a kind; those of the kind where there is no choice.
  func chosenWays(_ kind: NoticeKind, of user: Identifier, in reader: any Reader) throws -> Ways {
    guard kind.importance == .normal else { return kind.ways }
    let chosen: Int? = try reader.first(
      "SELECT ways FROM notify_choices WHERE user_id = $1 AND kind = $2", user, kind.name
    ) { $0[0] }
    return chosen.map { Ways(rawValue: $0) } ?? kind.ways
  }

  /// The words of a kind in the nearest language to the wanted one: those that staff has written, or the kind's own.
  func words(of kind: NoticeKind, in language: String, _ reader: any Reader) throws -> NoticeWords {
    let written = try TemplateRow.all(of: kind.name, in: reader)
    for candidate in Language.candidates(language) {
      // What was written for an earlier version of the kind may use names that there are no more.
      if let words = written[candidate]?.words, words.names?.isSubset(of: kind.values.keys) == true { return words }
      if let words = kind.words[candidate] { return words }
    }
    preconditionFailure("a kind of notice has English words")
  }
}

/// The kit's protocol, in terms of the core.
struct NotifyNotices: Notices {
  let core: NotifyCore

  func notify(_ user: Identifier, _ notice: DomainKit.Notice, in writer: any Writer) throws {
    precondition(core.catalog[notice.kind.name] != nil, "the kind \(notice.kind.name) is declared by no domain")
    let posting = Posting(kind: notice.kind, key: notice.key, object: notice.object?.text ?? "") { language in
      try core.stored(core.words(of: notice.kind, in: language, writer), with: notice.values, in: writer)
    }
    try core.post(posting, to: user, in: writer)
  }

  func notify(_ audience: Audience, _ notice: DomainKit.Notice, in writer: any Writer) throws {
    precondition(core.catalog[notice.kind.name] != nil, "the kind \(notice.kind.name) is declared by no domain")
    try core.broadcast(notice, to: audience, in: writer)
  }

  func notify(_ address: ContactAddress, _ outside: OutsideNotice, in writer: any Writer) throws {
    let kind = outside.notice.kind
    precondition(core.catalog[kind.name] != nil, "the kind \(kind.name) is declared by no domain")
    if let user = try core.writeOutside(to: address, outside, in: writer) {
      try notify(user, outside.notice, in: writer)
    }
  }
}
