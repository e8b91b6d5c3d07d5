/// What every generated enum is. A number that its proto does not know becomes `unrecognized` and is kept.
public protocol ProtobufEnum: Sendable, Hashable, CustomDebugStringConvertible {
  /// The full name in the protos, such as `octet.rides.v1.RideState`.
  static var fullName: String { get }

  /// Every number has a value. A known number never becomes `unrecognized`.
  init(rawValue: Int32)

  /// The number on the wire.
  var rawValue: Int32 { get }

  /// The name in the proto, such as `RIDE_STATE_REQUESTED`; the number of an unrecognized value.
  var protoName: String { get }

  /// Whether the proto knows the number.
  var isRecognized: Bool { get }
}

extension ProtobufEnum {
  public var debugDescription: String { protoName }
}
