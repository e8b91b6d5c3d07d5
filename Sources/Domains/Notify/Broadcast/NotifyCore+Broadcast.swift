import Base
import DomainKit
import NotifyAPI
import ProtobufRuntime
import Storage

/// What staff announces. Its words are the announcement's own.
enum Announcing {
  static let kind = NoticeKind(
    "notify.announcement", ways: [.push], values: ["title": .text, "text": .text],
    words: ["en": NoticeWords("{title}", "{text}")])
}

/// The timer that tells the next part of an audience, by the broadcast's id.
private let broadcastTimer = "notify.broadcast"

extension NotifyCore {
  /// Begins to tell an audience: the words are chosen now, in all languages; the members are told in the background.
  func broadcast(_ notice: DomainKit.Notice, to audience: Audience, in writer: any Writer) throws {
    let kind = notice.kind
    let languages = try Set(kind.words.keys).union(TemplateRow.all(of: kind.name, in: writer).keys)
    var content = StoredBroadcast()
    content.texts = try languages.sorted().map { language in
      NoticeText(language, try stored(words(of: kind, in: language, writer), with: notice.values, in: writer))
    }
    try broadcast(
      kit.identifiers.next(), kind, key: notice.key, object: notice.object?.text ?? "", to: audience, content,
      in: writer)
  }

  func broadcast(
    _ id: Identifier, _ kind: NoticeKind, key: String, object: String, to audience: Audience,
    _ content: StoredBroadcast, in writer: any Writer
  ) throws {
    precondition(audiences[audience.source] != nil, "nobody declares the audience \(audience.source)")
    try writer.execute(
      """
      INSERT INTO notify_broadcasts
        (id, kind, dedup_key, object, source, source_key, content, reached, told, created_at, ended_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, 0, $8, NULL)
      """, id, kind.name, key, object, audience.source, audience.key, content.encoded(), now)
    try timers.set(broadcastTimer, key: String(id.rawValue), due: now, in: writer)
  }

  func handleBroadcasts() {
    var policy = RetryPolicy()
    // Each part is a transaction of its own; only a database that fails makes one fail.
    policy.attempts = .max
    timers.handle(broadcastTimer, policy: policy, atOnce: 2) { [self] writer, timer in
      guard let id = Int64(timer.key) else { return }
      if try tellNext(Identifier(rawValue: id), in: writer) {
        try timers.set(broadcastTimer, key: timer.key, due: now, in: writer)
      }
    }
  }

  private struct Broadcast {
    let kind: String
    let key: String
    let object: String
    let audience: Audience
    let content: [UInt8]
    let reached: Identifier?
  }

  /// Tells the next members.
  /// - Returns: whether there are more.
  private func tellNext(_ id: Identifier, in writer: any Writer) throws -> Bool {
    let broadcast: Broadcast? = try writer.firstForUpdate(
      """
      SELECT kind, dedup_key, object, source, source_key, content, reached FROM notify_broadcasts
      WHERE id = $1 AND ended_at IS NULL
      """, id
    ) { row in
      Broadcast(
        kind: row[0], key: row[1], object: row[2], audience: Audience(row[3], key: row[4]), content: row[5],
        reached: row[6])
    }
    guard let broadcast else { return false }
    // What an older program began and this one does not know, there is nobody to tell.
    guard let kind = catalog[broadcast.kind], let source = audiences[broadcast.audience.source] else {
      try writer.execute("UPDATE notify_broadcasts SET ended_at = $2 WHERE id = $1", id, now)
      kit.log.error("broadcast_dropped", ["kind": .text(broadcast.kind)])
      return false
    }
    let texts = Dictionary(
      try StoredBroadcast(decoding: broadcast.content).texts.map { ($0.language, NoticeWords($0.title, $0.text)) }
    ) { first, _ in first }
    let posting = Posting(kind: kind, key: broadcast.key, object: broadcast.object) { language in
      Language.candidates(language).lazy.compactMap { texts[$0] }.first ?? NoticeWords(broadcast.kind)
    }
    let members = try source.members(
      of: broadcast.audience.key, after: broadcast.reached, limit: limits.toldAtOnce, in: writer)
    let viewers = try self.viewers(of: broadcast.object, among: members, in: writer)
    var told = 0
    for user in viewers ?? [] where try post(posting, to: user, in: writer) { told += 1 }
    let hasMore = viewers != nil && members.count == limits.toldAtOnce
    try writer.execute(
      "UPDATE notify_broadcasts SET reached = $2, told = told + $3, ended_at = $4 WHERE id = $1", id,
      members.last ?? broadcast.reached, told, hasMore ? nil : now)
    return hasMore
  }

  /// Those whom an object may be told of; nil once it is gone.
  /// - Parameter object: a printed id. What is none, or of a kind that this server has not, hides nothing.
  private func viewers(
    of object: String, among members: [Identifier], in reader: any Reader
  ) throws -> [Identifier]? {
    guard let subject = SubjectID(parsing: object), kit.subjects[subject] != nil else { return members }
    return try kit.viewers(of: subject, among: members, in: reader)
  }
}

/// The users whom an announcement names; the key is its id.
struct ListedUsers: AudienceSource {
  static let source = "notify.listed"
  let name = Self.source

  func members(of key: String, after: Identifier?, limit: Int, in reader: any Reader) throws -> [Identifier] {
    let content: [UInt8]? = try reader.first("SELECT content FROM notify_broadcasts WHERE id = $1", Int64(key)) {
      $0[0]
    }
    guard let content, case .users(let list) = try StoredBroadcast(decoding: content).segment?.who else { return [] }
    let users = Set(list.userIds.compactMap { try? Identifier.parse($0, kind: IDKind.user) }).sorted()
    let rest = after.map { last in users.drop { $0 <= last } } ?? users[...]
    return Array(rest.prefix(limit))
  }
}

extension NoticeText {
  init(_ language: String, _ words: NoticeWords) {
    self.init()
    self.language = language
    title = words.title
    text = words.text
  }
}
