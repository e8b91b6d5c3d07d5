import Base
import Cryptography
import DomainKit
import Storage

/// Writes the letters that carry codes, when they go out.
struct CodeLetters: LetterSource {
  static let name = "identity.codes"

  static let code = NoticeKind(
    "identity.code", .security, ways: [], values: ["code": .text, "minutes": .number],
    words: [
      "en": NoticeWords(
        "Your code",
        "Your code is {code}. It is good for {minutes} minutes. Give it to nobody; if you have not asked for it, do nothing."
      ),
      "de": NoticeWords(
        "Ihr Code",
        "Ihr Code ist {code}. Er gilt {minutes} Minuten. Geben Sie ihn niemandem; haben Sie ihn nicht verlangt, tun Sie nichts."
      ),
    ])
  static let reset = NoticeKind(
    "identity.reset_code", .security, ways: [], values: ["code": .text, "minutes": .number],
    words: [
      "en": NoticeWords(
        "A new password",
        "With the code {code} you can set a new password for {minutes} minutes. If you have not asked for it, do nothing."
      ),
      "de": NoticeWords(
        "Ein neues Passwort",
        "Mit dem Code {code} können Sie {minutes} Minuten lang ein neues Passwort setzen. Haben Sie ihn nicht verlangt, tun Sie nichts."
      ),
    ])

  let core: IdentityCore
  var name: String { Self.name }

  func letter(_ key: String, in reader: any Reader) throws -> UnstoredLetter? {
    guard let slot = Base64.url.decode(key), let row = try CodeRow.find(slot, in: reader),
      row.isCurrent(at: core.kit.clock.now()), row.hasTriesLeft,
      let kind = ContactKind.all.first(where: { $0.stored == row.kind }),
      let (user, address) = try receiver(row, kind, in: reader)
    else { return nil }
    let language = try PreferencesRow.find(user, in: reader).language
    return UnstoredLetter(
      row.purpose == .reset ? Self.reset : Self.code, id: row.id.text(kind: IDKind.code), by: kind, to: address,
      language: language.isEmpty ? "en" : language,
      [
        "code": .text(core.codes.maker.text(row.purpose, slot: slot, id: row.id)),
        "minutes": .number(row.purpose.lifetime.components.seconds / 60),
      ])
  }

  /// Whose the code is and where it goes; nil if nobody has the contact, or not any more.
  private func receiver(
    _ row: CodeRow, _ kind: ContactKind, in reader: any Reader
  ) throws -> (Identifier, String)? {
    switch row.purpose {
    case .contact:
      guard let user = row.user, let sealed = row.sealed, let key = try core.authority.sealingKey(of: user, in: reader)
      else { return nil }
      return (user, String(decoding: try key.open(sealed, context: user.rawValue.bigEndianBytes), as: UTF8.self))
    case .stepUp, .reset:
      guard let owner = try UserRow.find(contactKind: row.kind, lookup: row.lookup, in: reader)?.id,
        row.user == nil || row.user == owner,
        let address = try IdentityContacts(core: core).contact(kind, of: owner, in: reader)
      else { return nil }
      return (owner, address)
    }
  }
}
