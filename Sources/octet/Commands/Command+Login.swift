import Glibc

extension Command {
  static let login = Command(
    name: "login", arguments: "[NAME]",
    summary: "Log in and keep the tokens in a profile.",
    details: """
      NAME is a handle, e-mail address or phone number; it is asked for if it is missing. The password is asked for on \
      the terminal; without one it is the first line of standard input. It is never taken from the command line, where \
      other users of the machine could see it.

      The profile is a file in OCTET_PROFILES, or ~/.config/octet, that only its owner can read. Later calls to the \
      same address carry its access token, which is renewed before it ends.
      """,
    options: [Option("device", value: "NAME", "What to call this device. Default: the host's name.")]
  ) { invocation in
    let words = try invocation.words(["NAME"], optional: 1)
    let client = try await invocation.client()
    let name: String
    if let word = words.first { name = word } else { name = try Prompt.line("Name: ") }
    let password = try Prompt.secret("Password: ")
    try await client.logIn(name: name, password: password, device: invocation.arguments["device"] ?? hostName())
    Output.note(Terminal.plain("logged in as \(client.profile?.user ?? name) at \(client.address)"))
  }

  static let logout = Command(
    name: "logout", arguments: "",
    summary: "End the session and forget its tokens."
  ) { invocation in
    _ = try invocation.words([])
    let client = try await invocation.client()
    guard client.profile != nil else { return Output.note("not logged in") }
    try await client.logOut()
    Output.note("logged out")
  }

  private static func hostName() -> String {
    let longestName = 256
    var name = [CChar](repeating: 0, count: longestName)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
