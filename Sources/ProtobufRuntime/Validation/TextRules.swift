internal import Base
internal import Glibc

/// What a string field must look like once it is not empty.
public struct TextRules: Sendable {
  /// Least number of code points.
  public var min: Int
  /// Greatest number of code points.
  public var max: Int
  public var format: TextFormat?
  /// The kind that the field's ids have, such as `ride`.
  public var idKind: StaticString?

  public init(min: Int = 0, max: Int, format: TextFormat? = nil, idKind: StaticString? = nil) {
    self.min = min
    self.max = max
    self.format = format
    self.idKind = idKind
  }

  /// The error reason of an id of another kind.
  public static let wrongIDKind = "WRONG_ID_KIND"

  /// The error reason of a text that no database keeps.
  public static let invalidText = "INVALID_TEXT"

  /// What is wrong with `text`.
  func problem(with text: String) -> (description: String, reason: String?)? {
    // A code point has one to four octets, so that most texts need not be walked, long ones least of all.
    let octets = text.utf8.count
    guard octets > 0 else { return nil }
    if octets > max, octets / 4 > max || text.unicodeScalars.count > max {
      return ("must not be longer than \(max) characters", nil)
    }
    if octets < 4 * min, text.unicodeScalars.count < min { return ("must have at least \(min) characters", nil) }
    if let format, !format.matches(text) { return (format.requirement, nil) }
    if let idKind {
      do {
        _ = try Identifier.parse(text, kind: "\(idKind)")
      } catch {
        return switch error {
        case .wrongKind: ("must be the id of a \(idKind)", Self.wrongIDKind)
        case .malformed: ("must be an id such as \(idKind)_01j8z3k4m5n6p", nil)
        }
      }
    }
    return Self.holdsNull(text) ? ("must not hold the character U+0000", Self.invalidText) : nil
  }

  private static func holdsNull(_ text: String) -> Bool {
    text.utf8.withContiguousStorageIfAvailable { bytes in
      bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
    } ?? text.utf8.contains(0)
  }
}
