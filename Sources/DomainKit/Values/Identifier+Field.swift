public import Base
import ProtobufRuntime

extension Identifier {
  /// Reads the id in a request's field.
  /// - Parameter field: the field's name in the proto, for the error.
  /// - Throws: `KitError.wrongIDKind` for the id of another kind of thing, `KitError.invalid` for what is no id.
  public init(_ text: String, kind: String, field: String) throws(KitError) {
    do throws(IdentifierError) {
      self = try Identifier.parse(text, kind: kind)
    } catch {
      switch error {
      case .wrongKind: throw .wrongIDKind(field: field)
      case .malformed: throw .invalid(FieldViolation(field: field, description: "not the id of a \(kind)"))
      }
    }
  }
}
