public import Base

/// What is known of a user beside the names.
public struct PersonFacts: Sendable, Equatable {
  /// How much is proved about who it is.
  public let level: AccountLevel
  /// Since when there is the account.
  public let since: Instant
  /// Nil if the user has not told it.
  public let birthDate: CivilDate?

  public init(level: AccountLevel, since: Instant, birthDate: CivilDate?) {
    self.level = level
    self.since = since
    self.birthDate = birthDate
  }

  /// How many years old the user is on a day; nil if the date of birth is not known. Whoever was born on a 29 February
  /// gets a year older on the 1 March of other years.
  public func age(on day: CivilDate) -> Int? {
    guard let birthDate else { return nil }
    let isBefore = (day.month, day.day) < (birthDate.month, birthDate.day)
    return Int(day.year - birthDate.year) - (isBefore ? 1 : 0)
  }
}

/// What is known of a user who makes a call.
public struct CallerFacts: Sendable, Equatable {
  public let person: PersonFacts
  /// The device that the session was begun on; nil for one that has proved no key.
  public let device: KnownDevice?
  /// When the session was begun.
  public let signedInAt: Instant
  /// When the caller last proved who it is, by password or code.
  public let provedAt: Instant
  /// Language, region, currency, zone.
  public let preferences: PersonalPreferences

  public init(
    person: PersonFacts, device: KnownDevice?, signedInAt: Instant, provedAt: Instant, preferences: PersonalPreferences
  ) {
    self.person = person
    self.device = device
    self.signedInAt = signedInAt
    self.provedAt = provedAt
    self.preferences = preferences
  }
}

/// A device that a user has signed in on.
public struct KnownDevice: Sendable, Equatable {
  public let hash: DeviceHash
  /// When this user first signed in on it.
  public let since: Instant

  public init(hash: DeviceHash, since: Instant) {
    self.hash = hash
    self.since = since
  }
}

/// Where mail and parcels for a user go.
public struct PersonalAddress: Sendable, Equatable {
  /// Who receives.
  public var recipient = ""
  /// Street, number, floor.
  public var lines: [String] = []
  /// The town.
  public var locality = ""
  /// State, province or prefecture; empty where there is none.
  public var administrativeArea = ""
  /// Empty where there is none.
  public var postalCode = ""
  /// ISO 3166-1 alpha-2 code of the country.
  public var region = ""
  /// A phone number for those who deliver, in E.164 form; nil for none.
  public var phone: String?

  public init() {}
}
