/// What a password must be: long, not one of those that are tried first, and not made of what is public.
enum PasswordRules {
  static let minimumLength = 10

  /// What is wrong with a password, in words that do not repeat it; nil if nothing is.
  /// - Parameter handle: nil for one that is no handle.
  static func weakness(of password: String, handle: Handle?, contact: Contact?) -> String? {
    guard password.unicodeScalars.count >= minimumLength else {
      return "shorter than \(minimumLength) characters"
    }
    let folded = password.lowercased()
    if let handle, folded.contains(handle.key) { return "contains the handle" }
    if let contact, containsPart(of: contact, folded) { return "contains the contact" }
    if Set(folded).count < 4 { return "has too few different characters" }
    let core = stem(of: folded)
    if isRun(folded) || isRun(core) { return "is a run of neighbouring characters" }
    if core.count <= 3 || isCommon(core) || CommonPasswords.contain(folded) || CommonPasswords.contain(core) {
      return "is a common password"
    }
    return nil
  }

  private static func containsPart(of contact: Contact, _ folded: String) -> Bool {
    switch contact {
    case .email(let address):
      // The local part, unless it is so short that it occurs by chance.
      let local = address.split(separator: "@")[0]
      return folded.contains(address) || (local.count >= 4 && folded.contains(local))
    case .phone(let number):
      return folded.contains(number.dropFirst())
    }
  }

  /// The word that a password was made from: look-alike digits undone, then digits and signs at both ends dropped.
  private static func stem(of folded: String) -> String {
    let isLetter: (Character) -> Bool = { $0.isLetter }
    guard let first = folded.firstIndex(where: isLetter), let last = folded.lastIndex(where: isLetter) else {
      return ""
    }
    return String(folded[first...last].map { lookalikes[$0] ?? $0 }.filter(\.isLetter))
  }

  private static let lookalikes: [Character: Character] = [
    "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i",
  ]

  /// Whether all of it follows a keyboard row, the alphabet or the digits, forward or backward.
  private static func isRun(_ text: String) -> Bool {
    guard text.count >= 4 else { return false }
    let doubled = rows.map { $0 + $0 }
    let backward = String(text.reversed())
    return doubled.contains { $0.contains(text) || $0.contains(backward) }
  }

  private static let rows = [
    "abcdefghijklmnopqrstuvwxyz", "1234567890", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop",
    "azertyuiop", "1q2w3e4r5t6z7u8i9o0p", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp",
  ]

  /// Whether it is a common word, or such words put together.
  private static func isCommon(_ word: String) -> Bool {
    var rest = word[...]
    while !rest.isEmpty {
      guard let match = commonWords.filter({ rest.hasPrefix($0) }).max(by: { $0.count < $1.count }) else {
        return false
      }
      rest = rest.dropFirst(match.count)
    }
    return true
  }

  /// Words that lists of leaked passwords begin with.
  private static let commonWords: [String] = """
    password passwort passw pass word qwerty qwertz azerty letmein welcome admin administrator login master dragon \
    monkey football baseball basketball soccer hockey iloveyou love lovely you sunshine princess superman batman \
    spiderman shadow trustno michael jennifer jessica ashley daniel michelle charlie jordan thomas hunter killer \
    summer winter spring autumn flower computer internet whatever starwars pokemon secret changeme default test \
    testing temp guest root user hello abc abcd qwe asd zxc qaz wsx my the is me i a one two three four five six \
    seven eight nine ten god jesus angel babygirl baby girl boy freedom cheese cookie chocolate banana orange apple \
    samsung google facebook liverpool chelsea arsenal barcelona ferrari mercedes porsche mustang corvette yankees \
    january february march april may june july august september october november december monday tuesday wednesday \
    thursday friday saturday sunday
    """.split(separator: " ").map(String.init)
}
