/// How octetd ends. The values follow sysexits(3), so that a supervisor can tell what is worth a restart.
enum ExitCode: Int32, CaseIterable {
  case success = 0
  case usage = 64
  case noSuchObject = 66
  case unavailable = 69
  case alreadyExists = 73
  case storage = 74

  var meaning: String {
    switch self {
    case .success: "stopped by SIGTERM or SIGINT and drained, or the subcommand succeeded"
    case .usage: "a flag, variable or configuration line is wrong; a restart will not help"
    case .noSuchObject: "the subcommand names something that does not exist"
    case .unavailable: "an address cannot be listened on, or the certificate cannot be loaded"
    case .alreadyExists: "backup or restore would replace something, and --force was not given"
    case .storage:
      """
      the data directory, the database or the blob store cannot be opened or is damaged, or the node's number went to \
      another process
      """
    }
  }
}
