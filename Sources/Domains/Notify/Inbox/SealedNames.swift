import Base
import Cryptography
import DomainKit

/// Names of people in the words of stored notices: each is sealed with its person's own key, so it can be read until that
/// key is destroyed, wherever a copy of the words may lie.
///
/// In a stored text a name is U+FFF9, the person's number (8 octets, big-endian) and the sealed name in base 64, U+FFFB:
/// the marks of interlinear annotations, which Unicode keeps for a program's own use. What somebody has written between
/// them opens with no key.
enum SealedNames {
  private static let begin: Unicode.Scalar = "\u{FFF9}"
  private static let end: Unicode.Scalar = "\u{FFFB}"
  private static let context = Array("notify name ".utf8)
  /// Stands for a name that there is no more, in any language.
  static let gone = "…"

  /// A name as it is stored.
  /// - Parameter key: that of the person; nil if it is gone.
  static func seal(_ name: String, of user: Identifier, key: SealingKey?) -> String {
    guard let key else { return gone }
    let number = user.rawValue.bigEndianBytes
    let content = Base64.url.encode(number + key.seal(Array(name.utf8), context: context + number))
    return "\(begin)\(content)\(end)"
  }

  /// Whether there are names in a text.
  static func areIn(_ text: String) -> Bool { text.unicodeScalars.contains(begin) }

  /// A stored text with the names as people read them.
  /// - Parameter key: of a person; nil if it is gone.
  static func open(_ text: String, key: (Identifier) throws -> SealingKey?) rethrows -> String {
    guard areIn(text) else { return text }
    var opened = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let start = rest.firstIndex(of: begin) {
      opened.append(contentsOf: rest[..<start])
      let content = rest[rest.index(after: start)...]
      guard let end = content.firstIndex(of: end) else {
        rest = content
        break
      }
      opened.append(contentsOf: try name(String(content[..<end]), key).unicodeScalars)
      rest = content[content.index(after: end)...]
    }
    opened.append(contentsOf: rest)
    return String(opened)
  }

  private static func name(_ content: String, _ key: (Identifier) throws -> SealingKey?) rethrows -> String {
    guard let bytes = Base64.url.decode(content), bytes.count > 8 else { return gone }
    let number = Array(bytes[..<8])
    guard let key = try key(Identifier(rawValue: Int64(bigEndian: bytes[..<8]))),
      let name = try? key.open(Array(bytes[8...]), context: context + number)
    else { return gone }
    return String(decoding: name, as: UTF8.self)
  }
}
