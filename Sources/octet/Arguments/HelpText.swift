/// Lays out help texts.
enum HelpText {
  /// Where nobody looks, and on a terminal that has as many, as many columns as can be read with ease.
  private static let most = 100
  /// Below, columns would have no room.
  private static let least = 60
  private static let width = Terminal.isInteractive ? min(max(Terminal.size.columns, least), most) : most
  private static let indent = 2

  /// A table of names and what they mean, as wide as a terminal.
  static func table(_ rows: [(name: String, text: String)]) -> String {
    table(rows.map { ($0.name, $0.text, []) })
  }

  private typealias Row = (name: String, text: String, choices: [(name: String, text: String)])

  /// - Parameter rows: below the text of each come the choices that it has.
  private static func table(_ rows: [Row]) -> String {
    let longestColumn = 34
    let column = min(rows.map(\.name.count).max() ?? 0, longestColumn)
    return rows.map { name, text, choices in
      let room = width - indent - column - 2
      let nameWidth = choices.map(\.name.count).max() ?? 0
      let lines =
        wrap(text, room)
        + choices.flatMap { choice in
          wrap(choice.text, room - nameWidth - 4).enumerated().map { index, line in
            let head = index == 0 ? choice.name : ""
            return "  " + head + String(repeating: " ", count: nameWidth - head.count + 2) + line
          }
        }
      let blank = String(repeating: " ", count: indent)
      let hang = String(repeating: " ", count: indent + column + 2)
      let head =
        name.count > column
        ? blank + name + "\n" + hang : blank + name + String(repeating: " ", count: column - name.count + 2)
      return (head + lines.joined(separator: "\n" + hang)).trimmingEnd
    }.joined(separator: "\n")
  }

  static func table(_ options: [Option]) -> String {
    table(options.map { ($0.usage, $0.help + ($0.repeats ? " May be given several times." : ""), $0.choices) })
  }

  /// Breaks a paragraph into lines at blanks.
  static func wrap(_ text: String, _ width: Int = width) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " " + word
    }
    return lines + [line]
  }

  /// The parts of a text that empty lines separate.
  static func paragraphs(_ text: String) -> [String] { text.split(separator: "\n\n").map(String.init) }

  /// The first sentence of a comment.
  static func firstSentence(_ comment: String) -> String {
    let text = comment.split(separator: "\n").joined(separator: " ")
    guard let end = text.firstRange(of: ". ") else { return text }
    return String(text[..<end.lowerBound]) + "."
  }
}

extension String {
  /// Without blanks at the end.
  var trimmingEnd: String {
    var text = self[...]
    while text.last == " " || text.last == "\n" { text.removeLast() }
    return String(text)
  }
}
