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
    let lines = lines.prefix(max(rows - 1, 1)).map { String($0.prefix(columns - 1)) }
    var text = shown > 0 ? "\u{1b}[\(shown)A\r\u{1b}[J" : ""
    for line in lines { text += line + "\n" }
    Output.write(Array(text.utf8))
    shown = lines.count
  }
}
