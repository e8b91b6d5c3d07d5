import AdminAPI
import DomainKit
import ProtobufRuntime

/// The flags that there are.
struct FlagCatalog: Sendable {
  /// The methods that cannot be switched off: the one that switches on again, and those without which nobody could call it
  /// any more when the last access token has ended.
  static let alwaysOn: Set<String> = [
    "octet.admin.v1.AdminService/PutFlag", "octet.identity.v1.SessionService/GetChallenge",
    "octet.identity.v1.SessionService/Login", "octet.identity.v1.SessionService/RefreshSession",
  ]

  /// By name.
  let declarations: [FlagDeclaration]
  private let byName: [String: FlagDeclaration]

  /// - Parameter methods: paths without their first slash.
  init(flags: [FlagDeclaration], methods: [String]) {
    let all = flags + methods.map(FlagDeclaration.init(switchOf:))
    byName = Dictionary(all.map { ($0.name, $0) }) { a, _ in preconditionFailure("two flags are called \(a.name)") }
    declarations = byName.values.sorted { $0.name < $1.name }
  }

  subscript(name: String) -> FlagDeclaration? { byName[name] }

  /// Whether a flag is the switch of a method.
  static func isMethod(_ name: String) -> Bool { name.utf8.contains(UInt8(ascii: "/")) }

  /// What of a request is stored.
  /// - Throws: what does not fit the flag, all of it.
  static func content(
    _ request: PutFlagRequest, of flag: FlagDeclaration, _ roles: RoleCatalog
  ) throws -> AdminAPI.Flag {
    var faults = Faults()
    func refuse(_ field: String, _ description: String) {
      faults.note(KitError.invalid(FieldViolation(field: field, description: description)))
    }
    func check(_ value: SettingValue?, _ field: String) {
      if value?.typed?.kind == flag.standard.kind { return }
      refuse(field, "this flag is of the type \(flag.standard.kind.rawValue)")
    }
    if request.value != nil { check(request.value, "value") }
    for (index, rule) in request.rules.enumerated() {
      check(rule.value, "rules[\(index)].value")
      if !rule.role.isEmpty { try faults.check { try roles.check(rule.role, field: "rules[\(index)].role") } }
      if rule.regionCode.isEmpty { continue }
      let isCountry = rule.regionCode.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
      if !isCountry || rule.regionCode.utf8.count != 2 {
        refuse("rules[\(index)].region_code", "not two capital letters")
      }
    }
    if alwaysOn.contains(flag.name) { refuse("name", "this method stays on") }
    try faults.throwIfAny()
    var content = AdminAPI.Flag()
    content.value = request.value
    content.rules = request.rules
    return content
  }
}
