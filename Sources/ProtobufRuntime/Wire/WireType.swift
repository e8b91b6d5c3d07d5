/// How a field's value is laid out on the wire.
package enum WireType: UInt32, Sendable {
  case varint = 0
  case fixed64 = 1
  case lengthDelimited = 2
  case startGroup = 3
  case endGroup = 4
  case fixed32 = 5
}

/// What precedes each value on the wire: which field it belongs to and how it is laid out.
package struct WireTag: Sendable, Equatable {
  package var number: Int32
  package var type: WireType

  package init(number: Int32, type: WireType) {
    self.number = number
    self.type = type
  }

  package var rawValue: UInt64 { UInt64(number) << 3 | UInt64(type.rawValue) }
}
