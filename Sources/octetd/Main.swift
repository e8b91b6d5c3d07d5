import Base
import FoundationEssentials
import Glibc

@main
struct Octetd {
  static func main() async {
    exit(await run().rawValue)
  }

  private static func run() async -> ExitCode {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.contains("--help") || arguments.contains("-h") {
      print(Configuration.help, terminator: "")
      return .success
    }
    return .success
  }
}
