import Base
import Cryptography
import DomainKit
import IdentityAPI
import OctetTypes
import Storage

/// The day on which a user was born: sealed with the user's key, told to domains that ask, shown to nobody else.
enum BirthDate {
  /// Nobody has become older than 122 years.
  static let oldestYears: Int64 = 150

  /// The day in a request; nil if it names none.
  /// - Throws: `IdentityError.badBirthDate` for a day that is none, is to come, or is too long ago.
  static func day(of message: Date?, now: Instant) throws(IdentityError) -> CivilDate? {
    guard let message else { return nil }
    // Somewhere it is tomorrow already.
    let latest = CivilDate(daysSinceEpoch: now.dayNumber + 1)
    guard let day = CivilDate(message), day.daysSinceEpoch <= latest.daysSinceEpoch,
      latest.year - day.year <= oldestYears
    else { throw .badBirthDate }
    return day
  }

  static func seal(_ day: CivilDate, of user: Identifier, with key: SealingKey) -> [UInt8] {
    key.seal(day.daysSinceEpoch.bigEndianBytes, context: context(user))
  }

  static func open(_ sealed: [UInt8], of user: Identifier, with key: SealingKey) throws -> CivilDate {
    CivilDate(daysSinceEpoch: Int64(bigEndian: try key.open(sealed, context: context(user))))
  }

  private static func context(_ user: Identifier) -> [UInt8] { Array("birth date".utf8) + user.rawValue.bigEndianBytes }
}

extension IdentityCore {
  /// When a user was born; nil if it was not told.
  func birthDate(of user: UserRow, in reader: any Reader) throws -> CivilDate? {
    guard let sealed = user.birthDate, let key = try authority.sealingKey(of: user.id, in: reader) else { return nil }
    return try BirthDate.open(sealed, of: user.id, with: key)
  }

  /// A profile as its owner sees it.
  func ownProfile(_ user: UserRow, in reader: any Reader) throws -> Profile {
    var profile = Profile(user, isOwn: true)
    profile.birthDate = try birthDate(of: user, in: reader).map { Date($0) }
    profile.contacts = try contacts(of: user.id, in: reader).compactMap { ProvedContact($0) }
    return profile
  }

  /// Notes when a user was born. Nobody has compared the first day that a verified user tells with the documents, so they
  /// have to be handed in once more.
  /// - Throws: `KitError.wrongState` for another day than the one that the documents of a verified user were approved with.
  func setBirthDate(_ day: CivilDate, of user: UserRow, in writer: any Writer) throws {
    guard let key = try authority.sealingKey(of: user.id, in: writer) else { throw KitError.sessionEnded }
    let known = try birthDate(of: user, in: writer)
    if user.accountLevel == .verified, known != day {
      guard known == nil else { throw KitError.wrongState(UserLevel.verified.protoName) }
      try unverify(user, in: writer)
    }
    try writer.execute(
      "UPDATE identity_users SET birth_date = $2 WHERE id = $1", user.id, BirthDate.seal(day, of: user.id, with: key))
  }
}

extension Date {
  fileprivate init(_ day: CivilDate) {
    self.init()
    (year, month, self.day) = (Int32(day.year), Int32(day.month), Int32(day.day))
  }
}
