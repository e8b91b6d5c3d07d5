/// The words of a notice: `{name}` stands for a value, `{{` for a brace.
public struct NoticeWords: Sendable, Equatable {
  /// The longest title that goes out, in code points; a longer one is cut.
  public static let titleLimit = 200
  /// The longest text that goes out, in code points.
  public static let textLimit = 4000

  /// One line.
  public let title: String
  /// The rest. May be empty.
  public let text: String

  public init(_ title: String, _ text: String = "") {
    self.title = title
    self.text = text
  }

  /// The names that the words use; nil if a brace lacks its other half.
  public var names: Set<String>? {
    guard let title = Self.pieces(of: title), let text = Self.pieces(of: text) else { return nil }
    return Set(
      (title + text).compactMap { piece in
        if case .name(let name) = piece { name } else { nil }
      })
  }

  /// With the values in the names' places. A name without a value, which only a kind that has changed since can bring,
  /// stays away.
  public func filled(with values: [String: NoticeValue]) -> NoticeWords { filled(with: values) { _ in nil } }

  /// The same as it is kept.
  /// - Parameter stored: what stands for a value; nil for the value as people read it. It takes the value's place as a
  ///   whole or not at all, and counts like the value.
  public func filled(
    with values: [String: NoticeValue], stored: (NoticeValue) throws -> String?
  ) rethrows -> NoticeWords {
    NoticeWords(
      try Self.filled(title, values, limit: Self.titleLimit, stored),
      try Self.filled(text, values, limit: Self.textLimit, stored))
  }

  private enum Piece {
    case plain(Substring)
    case name(String)
  }

  private static func filled(
    _ template: String, _ values: [String: NoticeValue], limit: Int, _ stored: (NoticeValue) throws -> String?
  ) rethrows -> String {
    var text = ""
    var left = limit
    for piece in pieces(of: template) ?? [] {
      let shown: String
      var kept: String?
      switch piece {
      case .plain(let plain): shown = String(plain)
      case .name(let name):
        shown = values[name]?.shown ?? ""
        if let value = values[name] { kept = try stored(value) }
      }
      let scalars = shown.unicodeScalars
      if let kept {
        if scalars.count <= left { text += kept }
      } else {
        text += String(String.UnicodeScalarView(scalars.prefix(left)))
      }
      left -= scalars.count
      if left <= 0 { break }
    }
    return text
  }

  private static func pieces(of template: String) -> [Piece]? {
    var pieces: [Piece] = []
    var rest = template[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      pieces.append(.plain(rest[..<brace]))
      let after = rest[rest.index(after: brace)...]
      if after.first == rest[brace] {
        // A doubled brace stands for itself.
        pieces.append(.plain(after.prefix(1)))
        rest = after.dropFirst()
        continue
      }
      guard rest[brace] == "{", let end = after.firstIndex(of: "}"), isName(after[..<end]) else { return nil }
      pieces.append(.name(String(after[..<end])))
      rest = after[after.index(after: end)...]
    }
    pieces.append(.plain(rest))
    return pieces
  }

  private static func isName(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_") }
  }
}
