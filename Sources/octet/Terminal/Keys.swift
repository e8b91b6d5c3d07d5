import Glibc

/// Keys that are pressed while something is shown: read one by one and not echoed, until `end`.
final class Keys {
  private let before: termios
  private let reader: Task<Void, Never>
  private let interruption: Interruption

  /// - Parameter press: called for one key after another.
  /// - Returns: nil unless a person sits at standard input.
  init?(_ press: @escaping @Sendable (Character) async -> Void) {
    guard Prompt.isPossible else { return nil }
    var now = termios()
    guard tcgetattr(STDIN_FILENO, &now) == 0 else { return nil }
    let before = now
    self.before = before
    now.c_lflag &= ~tcflag_t(ECHO | ICANON)
    tcsetattr(STDIN_FILENO, TCSANOW, &now)
    interruption = Interruption { Self.restore(before) }
    reader = Task {
      while let bytes = try? await InputFile.standard.next() {
        for character in String(decoding: bytes, as: UTF8.self) { await press(character) }
      }
    }
  }

  /// Gives the terminal back as it was.
  func end() {
    reader.cancel()
    Self.restore(before)
  }

  private static func restore(_ before: termios) {
    var before = before
    tcsetattr(STDIN_FILENO, TCSANOW, &before)
  }
}
