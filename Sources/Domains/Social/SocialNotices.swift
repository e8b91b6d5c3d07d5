import Base
import DomainKit
import Storage

/// What people are told of what others do.
enum SocialNotices {
  static let followed = NoticeKind(
    "social.followed", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("{who} follows you")])
  static let followRequested = NoticeKind(
    "social.follow_requested", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("{who} asks to follow you")])
  static let followAccepted = NoticeKind(
    "social.follow_accepted", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("You follow {who} now")])
  static let reacted = NoticeKind(
    "social.reacted", ways: [], values: ["who": .name, "emoji": .text],
    words: ["en": NoticeWords("{who}: {emoji}")])
  static let replied = NoticeKind(
    "social.replied", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("{who} replied to you")])
  static let mentioned = NoticeKind(
    "social.mentioned", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("{who} mentioned you")])
  static let commented = NoticeKind(
    "social.commented", ways: [], values: ["who": .name],
    words: ["en": NoticeWords("{who} wrote a comment")])

  static let reviewed = NoticeKind(
    "social.reviewed", ways: [.push], values: ["who": .name],
    words: ["en": NoticeWords("{who} wrote a review")])
  static let removed = NoticeKind(
    "social.removed", ways: [.push],
    words: ["en": NoticeWords("Something of yours was removed", "It is against the rules. You can appeal.")])
  static let warned = NoticeKind(
    "social.warned", ways: [.push],
    words: ["en": NoticeWords("Something of yours is against the rules", "Please read them again. You can appeal.")])
  static let restricted = NoticeKind(
    "social.restricted", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords("You cannot post for some time", "Something of yours is against the rules. You can appeal.")
    ])
  static let reportSettled = NoticeKind(
    "social.report_settled", ways: [], words: ["en": NoticeWords("We have looked at what you reported")])
  static let appealSettled = NoticeKind(
    "social.appeal_settled", ways: [.push], words: ["en": NoticeWords("Your appeal is decided")])

  static let all = [
    followed, followRequested, followAccepted, reacted, replied, mentioned, commented, reviewed, removed, warned,
    restricted,
    reportSettled, appealSettled,
  ]
}

/// What somebody has done that another one is told once.
enum Deed {
  case followed
  case followRequested
  case followAccepted
  /// Gave an emoji to something.
  case reacted(SubjectID, String)
  /// What was written: a comment.
  case replied(SubjectID)
  case mentioned(SubjectID)
  case commented(SubjectID)
  case reviewed(SubjectID)

  fileprivate var kind: NoticeKind {
    switch self {
    case .followed: SocialNotices.followed
    case .followRequested: SocialNotices.followRequested
    case .followAccepted: SocialNotices.followAccepted
    case .reacted: SocialNotices.reacted
    case .replied: SocialNotices.replied
    case .mentioned: SocialNotices.mentioned
    case .commented: SocialNotices.commented
    case .reviewed: SocialNotices.reviewed
    }
  }

  /// What it is about; nil for the one who did it.
  fileprivate var subject: SubjectID? {
    switch self {
    case .followed, .followRequested, .followAccepted: nil
    case .reacted(let subject, _), .replied(let subject), .mentioned(let subject), .commented(let subject),
      .reviewed(let subject):
      subject
    }
  }
}

extension SocialCore {
  /// Tells a user what another one has done, unless that is the same one, or the user wants to hear nothing of the other.
  /// However often it is done and undone, it is told once; so is each emoji.
  func tell(_ user: Identifier, _ deed: Deed, by other: Identifier, in writer: any Writer) throws {
    guard user != other, try !kit.community.hasMuted(user, other, in: writer),
      try !kit.community.isBlocked(user, other, in: writer)
    else { return }
    let doer = SubjectID(IDKind.user, other)
    let object = deed.subject ?? doer
    var values: [String: NoticeValue] = [
      "who": .name(try people.person(other, in: writer)?.displayName ?? "", of: other)
    ]
    var key = "\(deed.kind.name)/\(object.text)/\(doer.text)"
    if case .reacted(_, let emoji) = deed {
      values["emoji"] = .text(emoji)
      key += "/\(emoji)"
    }
    try notices.notify(user, Notice(deed.kind, key: key, about: object, values), in: writer)
  }
}
