public import Base

/// A sort of notice. Domains declare theirs (`Domain.noticeKinds`), and cannot tell anything else.
public struct NoticeKind: Sendable {
  /// `rides.driver_arrived`: the domain and what happened.
  public let name: String
  public let importance: NoticeImportance
  /// By which ways it goes to a user who has not chosen, beside the inbox.
  public let ways: Ways
  /// The names that its words may use.
  public let values: [String: NoticeValue.ValueType]
  /// By language, BCP 47; English is among them.
  public let words: [String: NoticeWords]
  /// As what it may also go to people without an account; nil for what may not.
  public let outsideSort: OutsideSort?

  /// Traps on words that do not fit the values, and if there are none in English.
  /// - Parameter isInvitation: whether it asks people to come, who may not be users yet. Not for what always goes.
  public init(
    _ name: String, _ importance: NoticeImportance = .normal, ways: Ways, isInvitation: Bool = false,
    values: [String: NoticeValue.ValueType] = [:], words: [String: NoticeWords]
  ) {
    precondition(!isInvitation || importance == .normal, "an invitation can be switched off")
    precondition(words["en"] != nil, "\(name) has no English words")
    precondition(
      words.values.allSatisfy { $0.names.map { $0.isSubset(of: values.keys) } ?? false },
      "the words of \(name) do not fit its values")
    self.name = name
    self.importance = importance
    self.ways = ways
    self.values = values
    self.words = words
    outsideSort = importance == .safety ? .safety : isInvitation ? .invitation : nil
  }
}

/// How pressing a notice is.
public enum NoticeImportance: Sendable {
  /// Waits for the end of quiet hours, and can be switched off.
  case normal
  /// About the account: always goes, and cannot be switched off.
  case security
  /// About danger: always goes, and cannot be switched off.
  case safety
}

/// Ways by which notices reach people outside of the inbox.
public struct Ways: OptionSet, Sendable, Hashable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// To the registered devices.
  public static let push = Ways(rawValue: 1)
  /// To the proved e-mail address.
  public static let mail = Ways(rawValue: 2)
  /// To the proved phone number.
  public static let sms = Ways(rawValue: 4)
}

/// What stands for a name in a notice's words.
public enum NoticeValue: Sendable, Equatable {
  case text(String)
  /// How somebody is called. Where a notice is kept, the name is sealed with that user's own key, so that nothing of it is
  /// left in anybody's inbox once the account is erased.
  case name(String, of: Identifier)
  case number(Int64)
  /// In the currency's minor unit.
  case money(minorUnits: Int64, currency: String)
  /// A moment by the clock of the place that it is about, in seconds ahead of UTC.
  case time(Instant, offset: Int64)

  public enum ValueType: Sendable, Equatable {
    case text, name, number, money, time
  }

  /// Which sort of value it is.
  public var type: ValueType {
    switch self {
    case .text: .text
    case .name: .name
    case .number: .number
    case .money: .money
    case .time: .time
    }
  }

  /// As people read it, in one line, alike in all languages: `12.50 EUR`, `2026-01-31 18:05`.
  public var shown: String {
    switch self {
    case .text(let text), .name(let text, _): String(text.map { $0.isNewline ? " " : $0 })
    case .number(let number): String(number)
    case .money(let minorUnits, let currency): Self.shown(minorUnits, Currency.exponent(currency) ?? 0) + " " + currency
    case .time(let instant, let offset):
      (instant + .seconds(offset)).iso8601.prefix(16).split(separator: "T").joined(separator: " ")
    }
  }

  private static func shown(_ minorUnits: Int64, _ exponent: Int) -> String {
    guard exponent > 0 else { return String(minorUnits) }
    let digits = String(minorUnits.magnitude)
    let padded = String(repeating: "0", count: max(0, exponent + 1 - digits.count)) + digits
    return (minorUnits < 0 ? "-" : "") + padded.dropLast(exponent) + "." + padded.suffix(exponent)
  }
}
