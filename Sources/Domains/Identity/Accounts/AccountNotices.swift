import Base
import DomainKit
import Storage

/// What people are told about their accounts. All of it goes in any case, also in quiet hours: it is how an owner learns
/// of a thief.
enum AccountNotices {
  static let all = [
    tokenReused, newDevice, passwordChanged, contactReplaced, contactGone, suspended, restored, closing, verified,
    notVerified,
  ]

  static let tokenReused = NoticeKind(
    "identity.token_reused", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords(
        "We have ended a session of yours",
        "Its key was used twice, so somebody may have copied it. Log in again; if you do not know why, change your password."
      ),
      "de": NoticeWords(
        "Wir haben eine Ihrer Sitzungen beendet",
        "Ihr Schlüssel wurde zweimal benutzt, jemand kann ihn kopiert haben. Melden Sie sich neu an; können Sie es sich nicht erklären, ändern Sie Ihr Passwort."
      ),
    ])
  static let newDevice = NoticeKind(
    "identity.new_device", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords(
        "A login from a new device",
        "Somebody has logged in as you where you have not been before. If it was not you, end the session and change your password."
      ),
      "de": NoticeWords(
        "Anmeldung auf einem neuen Gerät",
        "Jemand hat sich unter Ihrem Namen auf einem Gerät angemeldet, das wir nicht kennen. Waren Sie es nicht, beenden Sie die Sitzung und ändern Sie Ihr Passwort."
      ),
    ])
  static let passwordChanged = NoticeKind(
    "identity.password_changed", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords(
        "Your password was changed", "If it was not you, ask for a code to set a new one at once."),
      "de": NoticeWords(
        "Ihr Passwort wurde geändert",
        "Waren Sie es nicht, verlangen Sie sofort einen Code, um ein neues zu setzen."),
    ])
  static let contactReplaced = NoticeKind(
    "identity.contact_replaced", .security, ways: [.push, .mail, .sms],
    words: [
      "en": NoticeWords(
        "Your account has another contact", "If you have not changed it, change your password and set it right."),
      "de": NoticeWords(
        "Ihr Konto hat eine andere Kontaktadresse",
        "Haben Sie sie nicht geändert, ändern Sie Ihr Passwort und stellen Sie sie richtig."),
    ])
  /// To the contact that was replaced, or to whoever lost it to another account: that is where the owner is found, if
  /// a thief has put another in its place.
  static let contactGone = NoticeKind(
    "identity.contact_gone", .safety, ways: [.push, .mail, .sms],
    words: [
      "en": NoticeWords(
        "An account does not use this contact any more",
        "Another one has taken its place. If you did not want that, ask support for help."),
      "de": NoticeWords(
        "Ein Konto benutzt diese Kontaktadresse nicht mehr",
        "Eine andere ist an ihre Stelle getreten. Wollten Sie das nicht, wenden Sie sich an den Support."),
    ])
  static let suspended = NoticeKind(
    "identity.suspended", .security, ways: [.mail],
    words: [
      "en": NoticeWords("Your account is suspended", "Support can tell you why, and what you can do."),
      "de": NoticeWords("Ihr Konto ist gesperrt", "Der Support sagt Ihnen, warum, und was Sie tun können."),
    ])
  static let restored = NoticeKind(
    "identity.restored", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords("Your account is yours again", "You can log in as before."),
      "de": NoticeWords("Ihr Konto gehört wieder Ihnen", "Sie können sich anmelden wie zuvor."),
    ])
  /// By mail, as the account's devices are told nothing any more.
  static let closing = NoticeKind(
    "identity.closing", .security, ways: [.mail],
    words: [
      "en": NoticeWords(
        "Your account is being closed",
        "In 14 days everything that we know about you is erased. If you did not want that, log in before then; if the account is suspended, ask support for help."
      ),
      "de": NoticeWords(
        "Ihr Konto wird geschlossen",
        "In 14 Tagen wird alles gelöscht, was wir über Sie wissen. Wollten Sie das nicht, melden Sie sich vorher an; ist das Konto gesperrt, wenden Sie sich an den Support."
      ),
    ])
  static let verified = NoticeKind(
    "identity.verified", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords("Your documents are approved", "You can now do what asks for a verified account."),
      "de": NoticeWords("Ihre Dokumente sind anerkannt", "Sie können nun tun, was ein geprüftes Konto verlangt."),
    ])
  static let notVerified = NoticeKind(
    "identity.not_verified", .security, ways: [.push, .mail],
    words: [
      "en": NoticeWords("Your documents were not approved", "See why, and hand in others."),
      "de": NoticeWords("Ihre Dokumente wurden nicht anerkannt", "Sehen Sie nach, warum, und reichen Sie andere ein."),
    ])
}

extension IdentityCore {
  /// Tells a user about the account, each time anew.
  func tell(_ user: Identifier, _ kind: NoticeKind, about object: SubjectID? = nil, in writer: any Writer) throws {
    let event = kit.identifiers.next()
    try notices.notify(user, Notice(kind, key: "\(kind.name)/\(event.rawValue)", about: object), in: writer)
  }

  /// Tells the owner of a session whose spent token came again.
  func tellOfReuse(_ session: SessionRow, in writer: any Writer) throws {
    let owner = try CredentialRow.find(session.user, in: writer)?.owner ?? session.user
    try tell(owner, AccountNotices.tokenReused, about: SubjectID(IDKind.session, session.id), in: writer)
  }

  /// Tells a user of a login on a device that the account was not used on before. Not for the first device of all: where
  /// none has proved who it is, none is known from another.
  func tellOfDevice(_ session: SessionRow, in writer: any Writer) throws {
    try tell(session.user, AccountNotices.newDevice, about: SubjectID(IDKind.session, session.id), in: writer)
  }

  /// Tells a user, and at the contact that is not the user's any more, that another has taken its place.
  func tellOfReplacement(of old: Contact, of user: Identifier, in writer: any Writer) throws {
    try tell(user, AccountNotices.contactReplaced, in: writer)
    let event = kit.identifiers.next()
    let notice = Notice(AccountNotices.contactGone, key: "identity.contact_gone/\(event.rawValue)", about: nil)
    let language = try PreferencesRow.find(user, in: writer).language
    try notices.notify(
      ContactAddress(old.contactKind, normalized: old.address),
      OutsideNotice(notice, from: user, in: language.isEmpty ? PersonalPreferences().language : language), in: writer)
  }
}
