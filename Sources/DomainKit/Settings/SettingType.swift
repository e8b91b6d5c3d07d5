public import OctetTypes

/// A value that staff can give to a flag or to a column of a table.
public enum TypedValue: Sendable, Hashable {
  case boolean(Bool)
  case integer(Int64)
  case text(String)
  /// In the currency's minor unit.
  case money(minorUnits: Int64, currencyCode: String)

  /// Which type it has.
  public var kind: SettingKind {
    switch self {
    case .boolean: .boolean
    case .integer: .integer
    case .text: .text
    case .money: .money
    }
  }

  /// The integer, or the amount in minor units; nil for what is no number.
  public var number: Int64? {
    switch self {
    case .integer(let number), .money(let number, _): number
    case .boolean, .text: nil
    }
  }
}

/// The types of settings.
public enum SettingKind: String, Sendable, Hashable {
  case boolean
  case integer
  case text
  case money
}

/// A Swift type whose values are settings.
public protocol SettingType: Sendable {
  /// As it is stored and sent.
  var typedValue: TypedValue { get }

  /// Nil for a value of another type.
  init?(_ value: TypedValue)
}

extension Bool: SettingType {
  public var typedValue: TypedValue { .boolean(self) }

  public init?(_ value: TypedValue) {
    guard case .boolean(let value) = value else { return nil }
    self = value
  }
}

extension Int64: SettingType {
  public var typedValue: TypedValue { .integer(self) }

  public init?(_ value: TypedValue) {
    guard case .integer(let value) = value else { return nil }
    self = value
  }
}

extension String: SettingType {
  public var typedValue: TypedValue { .text(self) }

  public init?(_ value: TypedValue) {
    guard case .text(let value) = value else { return nil }
    self = value
  }
}

extension Money: SettingType {
  public var typedValue: TypedValue { .money(minorUnits: minorUnits, currencyCode: currencyCode) }

  public init?(_ value: TypedValue) {
    guard case .money(let minorUnits, let currencyCode) = value else { return nil }
    self.init()
    self.minorUnits = minorUnits
    self.currencyCode = currencyCode
  }
}
