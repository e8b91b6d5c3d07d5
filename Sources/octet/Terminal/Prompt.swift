import Glibc

/// Asks the person at the terminal.
enum Prompt {
  /// Whether somebody sits at standard input.
  static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

  /// A line from standard input, after a question if that is a terminal.
  static func line(_ question: String) throws(LocalError) -> String {
    if isPossible { Output.ask(question) }
    guard let line = readLine(), !line.isEmpty else { throw LocalError("nothing was entered") }
    return line
  }

  /// The same, without showing what is typed.
  static func secret(_ question: String) throws(LocalError) -> String {
    guard isPossible else { return try line(question) }
    var before = termios()
    tcgetattr(STDIN_FILENO, &before)
    var silent = before
    silent.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    defer {
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
      Output.ask("\n")
    }
    return try line(question)
  }
}
