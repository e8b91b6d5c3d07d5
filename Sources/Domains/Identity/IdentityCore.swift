import Base
import Cryptography
import DomainKit
import Storage

/// What the services of the identity domain share.
struct IdentityCore: Sendable {
  /// How long ago the password may have been given for changes of rights.
  static let freshProof = Duration.seconds(15 * 60)

  let kit: Kit
  let timers: Timers
  let limits: IdentityLimits
  let authority: IdentityAuthority
  let passwords: PasswordDesk
  /// What documents are handed in with; nil where nobody uploads anything.
  let files: (any Files)?
  let grants: GrantBook
  let codes: CodeBook
  let challenges: ChallengeDesk
  let notices = NoticesLink()
  let refreshKey: SecretKey
  let userKeys: UserKeys
  private let contactKey: SecretKey
  private let deviceKey: SecretKey
  private let loginNameKey: SecretKey

  init(
    kit: Kit, timers: Timers, authority: IdentityAuthority, passwords: PasswordDesk,
    challenges: ChallengeDesk, files: (any Files)?, limits: IdentityLimits
  ) throws {
    self.kit = kit
    self.limits = limits
    self.files = files
    self.timers = timers
    self.authority = authority
    self.passwords = passwords
    grants = GrantBook(
      authority: authority, identifiers: kit.identifiers, clock: kit.clock, roles: kit.roles, audit: kit.audit,
      subjects: kit.subjects)
    codes = CodeBook(
      clock: kit.clock, identifiers: kit.identifiers,
      maker: CodeMaker(key: kit.keys.derived(for: "identity codes 1")),
      letters: LetterPost(timers: timers, clock: kit.clock))
    self.challenges = challenges
    refreshKey = kit.keys.derived(for: "identity refresh tokens 1")
    userKeys = try UserKeys(kit.keys)
    contactKey = kit.keys.derived(for: "identity contacts 1")
    deviceKey = kit.keys.derived(for: "identity devices 1")
    loginNameKey = kit.keys.derived(for: "identity login names 1")
  }

  var closing: Closing { Closing(core: self) }
  var exports: Exports { Exports(core: self) }

  /// - Throws: `KitError.stepUpRequired` if the caller gave the password too long ago for what cannot be undone.
  func requireFreshProof(_ standing: Standing?) throws(KitError) {
    try kit.requireProof(standing, within: Self.freshProof)
  }

  /// What a contact is found by.
  func lookup(_ contact: Contact) -> [UInt8] {
    Hash.blake2b([UInt8(contact.kind)] + Array(contact.address.utf8), key: contactKey)
  }

  /// What a device is known by.
  func deviceHash(_ publicKey: [UInt8]) -> [UInt8] {
    Hash.blake2b(publicKey, key: deviceKey)
  }

  /// The device that a challenge is for; nil for a client that has no key.
  func challengedDevice(_ publicKey: [UInt8]) -> DeviceHash? { publicKey.isEmpty ? nil : deviceHash(publicKey) }

  /// What failed logins are counted by.
  func loginNameHash(_ name: LoginName) -> [UInt8] {
    Hash.blake2b(Array(name.text.utf8), key: loginNameKey, length: 16)
  }
}

/// What somebody logs in with.
enum LoginName: Sendable {
  case contact(Contact)
  case handle(String)

  init(_ text: String) {
    if let contact = Contact.email(parsing: text) ?? Contact.phone(parsing: text) {
      self = .contact(contact)
    } else {
      self = .handle(text.lowercased())
    }
  }

  /// The normalised name.
  var text: String {
    switch self {
    case .contact(let contact): contact.address
    case .handle(let key): key
    }
  }
}
