import OctetServer

@main
struct Octetd {
  /// Not async: see `ServerProgram.run`.
  static func main() { ServerProgram().run() }
}
