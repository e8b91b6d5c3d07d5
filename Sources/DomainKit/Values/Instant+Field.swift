public import Base
import ProtobufRuntime
public import WellKnownTypes

extension Instant {
  /// Reads the instant in a request's field. What a year like 2300 says must be refused: as if nothing had been said, it would
  /// be now.
  /// - Parameter field: the field's name in the proto, for the error.
  /// - Throws: `KitError.invalid` for what is malformed, or outside the years 1678 to 2262.
  public init(_ timestamp: Timestamp, field: String) throws(KitError) {
    guard let instant = Instant(timestamp) else {
      throw .invalid(FieldViolation(field: field, description: "not an instant from 1678 to 2262"))
    }
    self = instant
  }
}
