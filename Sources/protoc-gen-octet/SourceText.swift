/// Source code under construction: lines with an indentation of two spaces a level.
struct SourceText {
  private(set) var text = ""
  private var level = 0

  /// Adds a line; an empty one stays empty.
  mutating func line(_ line: String = "") {
    if !line.isEmpty { text += String(repeating: "  ", count: level) + line }
    text += "\n"
  }

  /// Adds `head {`, the lines that `body` adds, and `}`. With `parameters` it is the head of a closure.
  mutating func block(_ head: String, parameters: String? = nil, _ body: (inout SourceText) -> Void) {
    line(head + " {" + (parameters.map { " \($0) in" } ?? ""))
    level += 1
    body(&self)
    level -= 1
    line("}")
  }

  /// Adds code that was made at the outermost level.
  mutating func append(_ other: SourceText) {
    for item in other.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { line(String(item)) }
  }

  /// The text with exactly one line break at its end.
  var trimmed: String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Adds a documentation comment. protoc hands over comments with their line breaks.
  mutating func documentation(_ comment: String, isDeprecated: Bool = false) {
    var lines = comment.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
    if isDeprecated { lines.append((lines.isEmpty ? "" : "\n") + "- Important: Deprecated.") }
    for item in lines.joined(separator: "\n").split(separator: "\n", omittingEmptySubsequences: false)
    where !lines.isEmpty {
      line(item.isEmpty ? "///" : "/// \(item.drop { $0 == " " })")
    }
  }
}
