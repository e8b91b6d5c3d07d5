public import Base

/// What flags are for whom. The admin domain implements it.
public protocol Flags: Sendable {
  /// What a flag is for somebody: that of the first rule that matches, else what staff has put, else its default.
  ///
  /// Answers from memory and never waits; what is put on another node is known here within a second. From any thread.
  func value<Value: SettingType>(of flag: FlagDefinition<Value>, for subject: FlagSubject) -> Value
}

/// A flag as its domain declares it, with what it is where nobody has put anything.
///
///     static let oneClick = FlagDefinition("shop.one_click", "Whether people may buy with one click.", standard: true)
///     …
///     if flags.value(of: ShopFlags.oneClick, for: FlagSubject(caller, region: facts.preferences.region)) { … }
///
/// The domain names its `declaration` in `Domain.flags`; staff cannot put others.
public struct FlagDefinition<Value: SettingType>: Sendable {
  public let standard: Value
  /// What staff is told about it.
  public let declaration: FlagDeclaration

  public var name: String { declaration.name }

  /// - Parameters:
  ///   - name: the domain's name, a dot, and a word.
  ///   - purpose: what it decides, in a sentence.
  ///   - standard: what it is until staff puts it.
  public init(_ name: String, _ purpose: String, standard: Value) {
    precondition(name.utf8.contains(UInt8(ascii: ".")), "a flag is named by its domain")
    self.standard = standard
    declaration = FlagDeclaration(name: name, purpose: purpose, standard: standard.typedValue)
  }
}

/// A flag without its Swift type.
public struct FlagDeclaration: Sendable, Equatable {
  public let name: String
  public let purpose: String
  public let standard: TypedValue

  init(name: String, purpose: String, standard: TypedValue) {
    self.name = name
    self.purpose = purpose
    self.standard = standard
  }

  /// The switch of a method, by the path without its first slash.
  public init(switchOf method: String) {
    self.init(name: method, purpose: "Whether \(method) may be called.", standard: .boolean(true))
  }
}

/// For whom a flag is asked.
public struct FlagSubject: Sendable {
  /// Nil for a caller without credentials, whom no rule about users or shares of them matches.
  public let user: Identifier?
  public let roles: RoleSet
  /// ISO 3166-1 alpha-2 code, as of `PersonalPreferences.region`; nil matches no rule about regions.
  public let region: String?

  public init(user: Identifier?, roles: RoleSet = RoleSet(), region: String?) {
    self.user = user
    self.roles = roles
    self.region = region
  }

  /// - Parameter region: has no default, as staff may put a rule about countries to any flag: whoever asks without one says so.
  public init(_ caller: Caller?, region: String?) {
    self.init(user: caller?.user, roles: caller?.roles ?? RoleSet(), region: region)
  }
}
