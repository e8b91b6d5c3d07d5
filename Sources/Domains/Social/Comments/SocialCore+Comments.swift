import Base
import DomainKit
import ProtobufRuntime
import Storage
import Streaming

extension SocialCore {
  /// What happens to the comments on a subject, in order: the id of a comment in eight octets, or nothing when others may see
  /// the subject than before. Texts are read when they are sent, and are in no event: erasing them reaches all readers.
  func commentTopic(of subject: SubjectID) -> Topic { Topic("comments", subject.text) }

  // MARK: Posting

  /// Posts a comment or reply.
  /// - Throws: `KitError.notFound`, `.permissionDenied`, `.invalid`, `SocialError.commentsOff`.
  func post(
    _ text: String, _ score: ToxicityScore, on subject: SubjectID, below parentID: Identifier?, by caller: Caller,
    in writer: any Writer
  ) throws -> CommentRow {
    // A review has one answer: of two at once, the second finds the first.
    if subject.kind == IDKind.review { _ = try ReviewRow.held(subject.id, in: writer) }
    let (kind, facts) = try kit.subjects.visible(subject, to: caller, in: writer)
    switch try kind.posting(on: subject.id, by: caller, in: writer) {
    case .allowed: break
    case .off: throw SocialError.commentsOff
    case .refused: throw KitError.permissionDenied
    }
    try Self.check(text, limit: kind.traits.commentLength)
    let repliedTo = try parentID.map { try replied($0, on: subject, caller, writer) }
    let (stored, mentions) = try mentions(in: text, on: subject, by: caller, in: writer)
    let row = CommentRow(
      on: subject, below: repliedTo, id: kit.identifiers.next(), by: caller.user, text: stored,
      state: score.verdict == .refused ? .held : .visible, score: Int64(score.value), at: now)
    try row.insert(isOpen: isOpen(subject, in: writer), in: writer)
    try kit.findables.update(row.asSubject, in: writer)
    try MentionRow.replace(mentions, of: row.id, in: writer)
    if row.state == .visible {
      try countComment(row, 1, in: writer)
      try tellOfComment(row, owner: facts.owner, in: writer)
      try publish(row, in: writer)
    }
    try queue(row.asSubject, of: caller.user, score, in: writer)
    return row
  }

  /// The comment that a reply is to.
  private func replied(
    _ id: Identifier, on subject: SubjectID, _ caller: Caller, _ writer: any Writer
  ) throws -> CommentRow {
    guard let row = try CommentRow.find(id, in: writer), row.subject == subject, row.state == .visible,
      try !isHidden(row.author, from: caller, in: writer)
    else { throw KitError.notFound("comment") }
    return row
  }

  static func check(_ text: String, limit: Int) throws(KitError) {
    let scalars = text.unicodeScalars
    guard scalars.count <= limit else {
      throw .invalid(FieldViolation(field: "text", description: "longer than \(limit) code points"))
    }
    guard scalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw .invalid(FieldViolation(field: "text", description: "says nothing"))
    }
  }

  /// Who is named in a text: those who may see what is said.
  private func mentions(
    in text: String, on subject: SubjectID, by caller: Caller, in writer: any Writer
  ) throws -> (stored: String, mentions: [MentionRow]) {
    try MentionRow.parse(text) { handle in
      guard let user = try people.user(handle: handle, in: writer),
        try kit.subjects.isVisible(SubjectID(IDKind.user, user), to: caller, in: writer),
        try kit.subjects.isVisible(subject, to: kit.hearer(user, in: writer), in: writer)
      else { return nil }
      return user
    }
  }

  /// Tells those whom a comment concerns, each of them once: the one who is answered, those who are named, the owner.
  private func tellOfComment(_ row: CommentRow, owner: Identifier?, in writer: any Writer) throws {
    var told: Set<Identifier> = [row.author]
    func tellOnce(_ user: Identifier, _ deed: Deed) throws {
      guard told.insert(user).inserted,
        try kit.subjects.isVisible(row.subject, to: kit.hearer(user, in: writer), in: writer)
      else { return }
      try tell(user, deed, by: row.author, in: writer)
    }
    if let repliedTo = row.repliedTo { try tellOnce(repliedTo, .replied(row.asSubject)) }
    for mention in try MentionRow.all(of: row, in: writer) { try tellOnce(mention.user, .mentioned(row.asSubject)) }
    if let owner { try tellOnce(owner, .commented(row.asSubject)) }
  }

  // MARK: Changing

  /// Changes the text of the caller's own comment.
  /// - Throws: `KitError.notFound`, `.etagMismatch`, `.wrongState`, `.invalid`.
  func edit(
    _ id: Identifier, _ text: String, _ score: ToxicityScore, etag: String, by caller: Caller, in writer: any Writer
  ) throws -> CommentRow {
    try takeTurn(Turn(about: SubjectID(IDKind.comment, id)), in: writer)
    guard var row = try CommentRow.held(id, in: writer), row.author == caller.user, row.state != .deleted else {
      throw KitError.notFound("comment")
    }
    let (kind, facts) = try kit.subjects.visible(row.subject, to: caller, in: writer)
    guard row.state != .removed else { throw KitError.wrongState("REMOVED") }
    guard etag == String(row.version) else { throw KitError.etagMismatch }
    try Self.check(text, limit: kind.traits.commentLength)
    let (stored, mentions) = try mentions(in: text, on: row.subject, by: caller, in: writer)
    row.text = stored
    row.version += 1
    row.editedAt = now
    try MentionRow.replace(mentions, of: row.id, in: writer)
    row.score = Int64(score.value)
    if score.verdict == .refused {
      try change(&row, to: .held, in: writer)
    } else {
      try row.update(in: writer)
      try kit.findables.update(row.asSubject, in: writer)
      if row.state == .visible {
        try tellOfComment(row, owner: facts.owner, in: writer)
        try publish(row, in: writer)
      }
    }
    try queue(row.asSubject, of: caller.user, score, in: writer)
    return row
  }

  /// Makes a tombstone of a comment.
  func bury(_ row: inout CommentRow, in writer: any Writer) throws {
    row.text = ""
    try MentionRow.replace([], of: row.id, in: writer)
    try change(&row, to: .deleted, in: writer)
    try emptied(row.asSubject, in: writer)
  }

  /// Changes how a comment stands; its row is held. Counters follow, and those who watch are told.
  func change(_ row: inout CommentRow, to state: CommentRow.State, in writer: any Writer) throws {
    let wasVisible = row.state == .visible
    row.state = state
    try row.update(in: writer)
    try kit.findables.update(row.asSubject, in: writer)
    let isVisible = state == .visible
    if wasVisible != isVisible { try countComment(row, isVisible ? 1 : -1, in: writer) }
    if isVisible, !wasVisible {
      let owner = try kit.subjects[row.subject]?.facts(of: row.subject.id, in: writer)?.owner
      try tellOfComment(row, owner: owner, in: writer)
    }
    if wasVisible || isVisible { try publish(row, in: writer) }
  }

  private func countComment(_ row: CommentRow, _ difference: Int64, in writer: any Writer) throws {
    try count(.comments, of: row.subject, by: difference, in: writer)
    try kit.subjects.happened(
      SubjectDeed(.comment(row.id), by: row.author, isTakenBack: difference < 0), to: row.subject, in: writer)
    guard row.isReply else { return }
    let parent = SubjectID(IDKind.comment, row.parent)
    try count(.replies, of: parent, by: difference, in: writer)
  }

  private func publish(_ row: CommentRow, in writer: any Writer) throws {
    try kit.hub.publish(commentTopic(of: row.subject), row.id.rawValue.bigEndianBytes, in: writer)
    if row.isReply {
      // Its count of replies is part of it, and it may have become a tombstone, or none.
      try kit.hub.publish(commentTopic(of: row.subject), row.parent.rawValue.bigEndianBytes, in: writer)
    }
  }
}

/// Ends the streams of those who may not see a subject any more, and lets what hangs on it follow.
struct CommentWatchers: SubjectObserver {
  let core: SocialCore

  func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    try core.kit.hub.publish(core.commentTopic(of: subject), [], in: writer)
    try core.lookAgain(at: subject, in: writer)
    wakeCounters(of: subject, after: writer)
  }

  func gone(_ subject: SubjectID, in writer: any Writer) throws {
    try core.removeAll(about: subject, in: writer)
    wakeCounters(of: subject, after: writer)
  }

  /// Whoever watches them looks whether the thing may be seen still.
  private func wakeCounters(of subject: SubjectID, after writer: any Writer) {
    writer.afterCommit { [board = core.board] in board.changed(subject) }
  }
}
