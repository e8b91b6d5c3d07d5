import AdminAPI
import DomainKit
import OctetTypes

extension SettingValue {
  init(_ value: TypedValue) {
    self.init()
    switch value {
    case .boolean(let value): self.value = .boolean(value)
    case .integer(let value): self.value = .integer(value)
    case .text(let value): self.value = .text(value)
    case .money: self.value = Money(value).map { .money($0) }
    }
  }

  /// Nil for a message that holds none.
  var typed: TypedValue? {
    switch value {
    case .boolean(let value): .boolean(value)
    case .integer(let value): .integer(value)
    case .text(let value): .text(value)
    case .money(let money): money.typedValue
    case nil: nil
    }
  }
}
