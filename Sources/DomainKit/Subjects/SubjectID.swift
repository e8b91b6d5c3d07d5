public import Base

/// The printed id of some domain's thing, which comments, reactions, reviews, links, rooms and hits hang on.
public struct SubjectID: Sendable, Hashable {
  /// The prefix of the printed id, such as `ride`.
  public let kind: String
  public let id: Identifier

  public init(_ kind: String, _ id: Identifier) {
    self.kind = kind
    self.id = id
  }

  /// `ride_01j8z3k4m5n6p`.
  public var text: String { id.text(kind: kind) }

  /// Reads a printed id of any kind; nil for what is none.
  public init?(parsing text: String) {
    guard let end = text.utf8.firstIndex(of: UInt8(ascii: "_")) else { return nil }
    let kind = String(text[..<end])
    guard let id = try? Identifier.parse(text, kind: kind) else { return nil }
    self.init(kind, id)
  }
}
