import Glibc

/// What standard output is.
enum Terminal {
  /// Whether a person reads along and lines can be redrawn.
  static var isInteractive: Bool {
    isatty(STDOUT_FILENO) == 1 && Environment()["TERM"] != "dumb"
  }

  /// Whether a person watches standard error, where progress is shown.
  static var showsProgress: Bool {
    isatty(STDERR_FILENO) == 1 && Environment()["TERM"] != "dumb"
  }

  /// Columns and rows; 80 by 24 if nobody knows.
  static var size: (columns: Int, rows: Int) {
    var size = winsize()
    let terminal = isatty(STDOUT_FILENO) == 1 ? STDOUT_FILENO : STDERR_FILENO
    guard ioctl(terminal, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// The beginning of a line that fits into so many columns. What is wide, such as 字, takes two of them; sequences that set
  /// colours take none, and are kept behind the cut as well, so that the next line has its own.
  static func clipped(_ line: String, to columns: Int) -> String {
    var (clipped, left, isInSequence) = ("", columns, false)
    for character in line {
      if character == "\u{1b}" { isInSequence = true }
      if isInSequence {
        clipped.append(character)
        if character.isLetter { isInSequence = false }
      } else {
        left -= width(String(character))
        if left >= 0 { clipped.append(character) }
      }
    }
    return clipped
  }

  /// How many columns a text without sequences takes.
  static func width(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + width($1) } }

  /// What East Asian scripts are written with (UAX 11: wide and full width).
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff,
    0xfe30...0xfe6f, 0xff01...0xff60, 0xffe0...0xffe6, 0x20000...0x3fffd,
  ]

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    if scalar.isASCII { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return scalar.properties.isEmojiPresentation || wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }
  }

  /// A text from elsewhere without what a terminal would obey.
  static func plain(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{fffd}" : $0 }))
  }

  /// The same of a text of several lines.
  static func plainLines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { plain(String($0)) }.joined(separator: "\n")
  }
}

/// A block of lines that is drawn again and again in the same place.
struct LiveDisplay {
  private var shown = 0

  /// Draws `lines` over what was drawn before.
  mutating func draw(_ lines: [String]) {
    let (columns, rows) = Terminal.size
    // More than fits cannot be overwritten later: the terminal would have scrolled.
    let lines = lines.prefix(max(rows - 1, 1)).map { Terminal.clipped($0, to: columns - 1) }
    var text = shown > 0 ? "\u{1b}[\(shown)A\r\u{1b}[J" : ""
    for line in lines { text += line + "\n" }
    Output.write(Array(text.utf8))
    shown = lines.count
  }
}
