import Base
import Cryptography
import DomainKit
import IdentityAPI
import Storage

/// A row of `identity_preferences`.
struct PreferencesRow: Sendable {
  var language = ""
  var region = ""
  var currency = ""
  var timeZone = ""
  /// As in octet.identity.v1.ProfileVisibility.
  var visibility = ProfileVisibility.public
  /// Sealed with the user's key; empty for none.
  var wishes: [UInt8] = []
  /// 0 for somebody who has never said anything.
  var version: Int64 = 0

  /// What a user has said; the defaults for one who has said nothing.
  static func find(_ user: Identifier, in reader: any Reader) throws -> PreferencesRow {
    try reader.first(
      """
      SELECT language, region, currency, time_zone, visibility, wishes, version FROM identity_preferences
      WHERE user_id = $1
      """, user, make: PreferencesRow.init) ?? PreferencesRow()
  }

  private init(_ row: any Row) {
    language = row[0]
    region = row[1]
    currency = row[2]
    timeZone = row[3]
    visibility = ProfileVisibility(rawValue: row[4])
    wishes = row[5]
    version = row[6]
  }

  private init() {}

  /// What a message says, in normal form.
  /// - Throws: `KitError.badLanguage`, `.unknownCurrency`; `IdentityError.badRegion`, `.badTimeZone`; several of them as
  ///   `InvalidRequest`.
  init(_ message: Preferences, _ zones: TimeZones, sealing seal: ([UInt8]) -> [UInt8]) throws {
    var faults = Faults()
    if !message.language.isEmpty {
      if let tag = LanguageTag.normalized(message.language) {
        language = tag
      } else {
        faults.note(KitError.badLanguage(field: "preferences.language"))
      }
    }
    region = message.regionCode
    if !region.isEmpty, !RegionCode.isPlausible(region) {
      faults.note(IdentityError.badRegion(field: "preferences.region_code"))
    }
    currency = message.currencyCode
    if !currency.isEmpty, !Currency.isKnown(currency) {
      faults.note(KitError.unknownCurrency(field: "preferences.currency_code"))
    }
    timeZone = message.timeZone
    if !timeZone.isEmpty, zones.table(timeZone) == nil {
      faults.note(IdentityError.badTimeZone(field: "preferences.time_zone"))
    }
    try faults.throwIfAny()
    if message.profileVisibility != .unspecified { visibility = message.profileVisibility }
    if !message.travelWishes.isEmpty { wishes = seal(Array(message.travelWishes.utf8)) }
  }

  /// Takes the place of the row of that version.
  /// - Returns: whether there was one.
  func replace(_ old: Int64, of user: Identifier, in writer: any Writer) throws -> Bool {
    if old == 0 {
      return try writer.execute(
        """
        INSERT INTO identity_preferences (user_id, language, region, currency, time_zone, visibility, wishes, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (user_id) DO NOTHING
        """, user, language, region, currency, timeZone, visibility.rawValue, wishes) == 1
    }
    return try writer.execute(
      """
      UPDATE identity_preferences SET language = $2, region = $3, currency = $4, time_zone = $5, visibility = $6,
        wishes = $7, version = version + 1
      WHERE user_id = $1 AND version = $8
      """, user, language, region, currency, timeZone, visibility.rawValue, wishes, old) == 1
  }
}

/// Countries as ISO 3166-1 alpha-2 writes them.
enum RegionCode {
  /// Whether it is two capital letters.
  static func isPlausible(_ text: String) -> Bool {
    text.utf8.count == 2 && text.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
  }
}
