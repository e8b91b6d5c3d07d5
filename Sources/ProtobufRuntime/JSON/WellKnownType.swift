/// The messages that have a JSON form of their own.
enum WellKnownType {
  case any, timestamp, duration, fieldMask, `struct`, value, listValue
  /// A wrapper around a scalar of the type.
  case wrapper(FieldType)

  init?(_ fullName: String) {
    guard let known = Self.byName[fullName] else { return nil }
    self = known
  }

  private static let byName: [String: WellKnownType] = [
    "google.protobuf.Any": .any,
    "google.protobuf.Timestamp": .timestamp,
    "google.protobuf.Duration": .duration,
    "google.protobuf.FieldMask": .fieldMask,
    "google.protobuf.Struct": .struct,
    "google.protobuf.Value": .value,
    "google.protobuf.ListValue": .listValue,
    "google.protobuf.DoubleValue": .wrapper(.double),
    "google.protobuf.FloatValue": .wrapper(.float),
    "google.protobuf.Int64Value": .wrapper(.int64),
    "google.protobuf.UInt64Value": .wrapper(.uint64),
    "google.protobuf.Int32Value": .wrapper(.int32),
    "google.protobuf.UInt32Value": .wrapper(.uint32),
    "google.protobuf.BoolValue": .wrapper(.bool),
    "google.protobuf.StringValue": .wrapper(.string),
    "google.protobuf.BytesValue": .wrapper(.bytes),
  ]

  static let valueName = "google.protobuf.Value"
  static let nullValueName = "google.protobuf.NullValue"
}
