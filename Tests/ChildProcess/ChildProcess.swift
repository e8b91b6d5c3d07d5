import CLinux
import Glibc

/// A program of the system that a test runs, with pipes from its standard output and error.
///
/// Not Foundation's `Process`: run from several threads at once, as tests do, it has crashed inside the C library.
public final class ChildProcess: Sendable {
  /// How a program ended and what it wrote.
  public struct Result: Sendable {
    /// The exit status, or 128 and the number of the signal that ended it.
    public let status: Int32
    public let output: String
    public let errors: String
  }

  /// A call to the system failed, with its errno.
  public struct Failure: Error {
    public let operation: String
    public let code: Int32
  }

  private let id: pid_t
  private let output: Int32
  private let errors: Int32

  /// Starts a program that is looked up in PATH; its standard input is empty.
  /// - Parameter directory: where it runs; nil for the directory of this process.
  public init(_ program: String, _ arguments: [String], directory: String? = nil) throws(Failure) {
    let words = directory.map { ["env", "-C", $0, program] } ?? [program]
    let (output, outputEnd) = try Self.pipe()
    let (errors, errorsEnd) = try Self.pipe()
    defer {
      close(outputEnd)
      close(errorsEnd)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, outputEnd, 1)
    posix_spawn_file_actions_adddup2(&actions, errorsEnd, 2)
    // What other tests have open is theirs: a server that lives on would keep their pipes and sockets from ending.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    // Threads of ours block signals, and a program would begin so, too: deaf to SIGTERM and SIGPIPE.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var argv: [UnsafeMutablePointer<CChar>?] = (words + arguments).map { strdup($0) }
    argv.append(nil)
    defer { for word in argv { free(word) } }
    var id = pid_t()
    let code = posix_spawnp(&id, words[0], &actions, &attributes, argv, octet_environment())
    guard code == 0 else { throw Failure(operation: "posix_spawnp \(words[0])", code: code) }
    (self.id, self.output, self.errors) = (id, output, errors)
  }

  deinit {
    close(output)
    close(errors)
  }

  /// Runs a program to its end.
  public static func run(
    _ program: String, _ arguments: [String], directory: String? = nil
  ) throws(Failure) -> Result {
    let child = try ChildProcess(program, arguments, directory: directory)
    let output = child.readOutput()
    let errors = read(child.errors, atLeast: .max)
    return Result(
      status: child.wait(), output: String(decoding: output, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self))
  }

  /// What the program writes to its standard output, until there are so many bytes or it ends. Blocks.
  public func readOutput(atLeast count: Int = .max) -> [UInt8] {
    Self.read(output, atLeast: count)
  }

  /// What the program has written to its standard output, at most so many bytes; empty at its end. Blocks while there is
  /// nothing.
  public func readOutput(atMost count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    while true {
      let taken = CLinux.read(output, &bytes, count)
      if taken < 0 && errno == EINTR { continue }
      return Array(bytes.prefix(max(0, taken)))
    }
  }

  /// Asks the program to end.
  public func terminate() {
    CLinux.kill(id, SIGTERM)
  }

  /// Ends the program without giving it a chance to do anything.
  public func kill() {
    CLinux.kill(id, SIGKILL)
  }

  /// Waits for the end and returns the status. Call it once. Blocks.
  @discardableResult
  public func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0 && errno == EINTR {}
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }

  private static func read(_ descriptor: Int32, atLeast count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < count {
      let taken = CLinux.read(descriptor, &chunk, chunk.count)
      if taken < 0 && errno == EINTR { continue }
      guard taken > 0 else { break }
      bytes += chunk[..<taken]
    }
    return bytes
  }

  /// A pipe that programs started by other threads do not inherit.
  private static func pipe() throws(Failure) -> (readEnd: Int32, writeEnd: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Failure(operation: "pipe2", code: errno) }
    return (ends[0], ends[1])
  }
}
