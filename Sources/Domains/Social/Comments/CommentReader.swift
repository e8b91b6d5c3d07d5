import Base
import DomainKit
import SocialAPI
import Storage
import WellKnownTypes

/// Shows comments to one caller, within one transaction. What it has found out of a user it remembers.
final class CommentReader {
  private let core: SocialCore
  private let caller: Caller?
  private let reader: any Reader
  private var members: [Identifier: Member] = [:]
  private var isUnwanted: [Identifier: Bool] = [:]

  init(_ core: SocialCore, for caller: Caller?, in reader: any Reader) {
    self.core = core
    self.caller = caller
    self.reader = reader
  }

  /// A comment as the caller sees it: whole, as a tombstone if it has visible replies, or nil. The thing that it hangs on is
  /// visible to the caller.
  func show(_ row: CommentRow) throws -> Comment? {
    let isOwn = caller.map { $0.user == row.author } ?? false
    let isSeen = isOwn ? row.state != .deleted : try row.state == .visible && !isHidden(row.author)
    if !isSeen && row.isReply { return nil }
    let counters = try core.counters(of: row.asSubject, in: reader)
    let replies = counters[Counter.replies.name] ?? 0
    guard isSeen || replies > 0 else { return nil }
    var comment = Comment()
    comment.id = row.asSubject.text
    comment.subjectID = row.subject.text
    if row.isReply { comment.parentID = row.parent.text(kind: IDKind.comment) }
    comment.createTime = Timestamp(row.createdAt)
    comment.replyCount = replies
    guard isSeen else {
      comment.state = .tombstone
      return comment
    }
    comment.state = row.state.message
    comment.author = try member(row.author)
    comment.likeCount = counters[Counter.likes.name] ?? 0
    comment.editTime = row.editedAt.map { Timestamp($0) }
    comment.etag = String(row.version)
    (comment.text, comment.mentions) = try text(of: row)
    return comment
  }

  /// Whether the caller wants to see nothing of a user, or the user wants the caller to see nothing.
  func isHidden(_ author: Identifier) throws -> Bool {
    guard let caller else { return false }
    if let known = isUnwanted[author] { return known }
    let found =
      try core.isHidden(author, from: caller, in: reader)
      || core.kit.community.hasMuted(caller.user, author, in: reader)
    isUnwanted[author] = found
    return found
  }

  private func member(_ user: Identifier) throws -> Member {
    if let known = members[user] { return known }
    let member = try core.member(user, in: reader)
    members[user] = member
    return member
  }

  /// The text with the present handles.
  func text(of row: CommentRow) throws -> (String, [Mention]) {
    let rows = try MentionRow.all(of: row, in: reader)
    if rows.isEmpty { return (row.text, []) }
    var text = String.UnicodeScalarView()
    var mentions: [Mention] = []
    var waiting = rows[...]
    for (position, scalar) in row.text.unicodeScalars.enumerated() {
      text.append(scalar)
      guard let next = waiting.first, next.position == position else { continue }
      waiting.removeFirst()
      let handle = try member(next.user).handle
      var mention = Mention()
      mention.userID = next.user.text(kind: IDKind.user)
      mention.position = Int32(text.count - 1)
      mention.length = Int32(1 + handle.unicodeScalars.count)
      mentions.append(mention)
      text.append(contentsOf: handle.unicodeScalars)
    }
    return (String(text), mentions)
  }
}

extension CommentRow.State {
  fileprivate var message: CommentState {
    switch self {
    case .visible: .visible
    case .held: .held
    case .removed: .removed
    case .deleted: .tombstone
    }
  }
}
