internal import CLinux

/// Runs programs of the system to their end, with bounds. No shell: a program gets its arguments as they are.
public enum ChildProgram {
  /// How a program ended, and what it wrote.
  public struct Outcome: Sendable {
    /// The exit status; 128 and the number of the signal that ended it.
    public let status: Int32
    /// What it wrote to its standard output, cut at the limit.
    public let output: [UInt8]
    /// What it wrote to its standard error, cut at the limit.
    public let errors: [UInt8]
    /// Whether it was ended because its time was over.
    public let isTimedOut: Bool
  }

  /// What a program may use.
  public struct Limits: Sendable {
    /// It is killed after so long.
    public var time: Duration
    /// Seconds of processor time.
    public var processorSeconds: Int
    /// Address space in bytes.
    public var memoryBytes: Int
    /// Greatest file that it may write, in bytes.
    public var fileBytes: Int
    /// What is kept of each of its outputs, in bytes. The rest is read and dropped.
    public var outputBytes = 256 << 10

    public init(time: Duration, processorSeconds: Int, memoryBytes: Int, fileBytes: Int) {
      (self.time, self.processorSeconds) = (time, processorSeconds)
      (self.memoryBytes, self.fileBytes) = (memoryBytes, fileBytes)
    }

    /// By util-linux's `prlimit`, which sets the limits of itself and then becomes the program, so none begins without.
    fileprivate var command: [String] {
      [
        "prlimit", "--cpu=\(processorSeconds)", "--as=\(memoryBytes)", "--fsize=\(fileBytes)", "--nofile=64",
        "--core=0", "--",
      ]
    }
  }

  /// Runs a program that is looked up in PATH, in a process group of its own, at a low priority, with an empty standard
  /// input and an environment that says nothing. A task that is cancelled kills it.
  /// - Throws: `FileError` if it cannot be started; `CancellationError`.
  public static func run(_ program: String, _ arguments: [String], limits: Limits) async throws -> Outcome {
    let child = try Child(["nice", "-n", "10"] + limits.command + [program] + arguments)
    let outcome = try await withTaskCancellationHandler {
      try await OSThread.run(name: "child") { child.attend(limits) }
    } onCancel: {
      child.kill()
    }
    try Task.checkCancellation()
    return outcome
  }
}

/// A program that runs.
private final class Child: Sendable {
  private let id: pid_t
  private let output: Int32
  private let errors: Int32
  /// Once it has been waited for, its number may be another one's.
  private let isGone = Locked(false)

  init(_ words: [String]) throws(FileError) {
    let (output, outputEnd) = try Self.pipe()
    defer { close(outputEnd) }
    let errors: Int32
    let errorsEnd: Int32
    do {
      (errors, errorsEnd) = try Self.pipe()
    } catch {
      close(output)
      throw error
    }
    defer { close(errorsEnd) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, outputEnd, 1)
    posix_spawn_file_actions_adddup2(&actions, errorsEnd, 2)
    // Sockets and files of this process are not the program's.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Threads of ours block signals; the program is to have them.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    let settings = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "LC_ALL=C.UTF-8"]
    var environment: [UnsafeMutablePointer<CChar>?] = settings.map { strdup($0) } + [nil]
    defer { for word in argv + environment { free(word) } }
    var id = pid_t()
    let code = posix_spawnp(&id, words[0], &actions, &attributes, &argv, &environment)
    guard code == 0 else {
      close(output)
      close(errors)
      throw FileError("posix_spawnp", code)
    }
    (self.id, self.output, self.errors) = (id, output, errors)
  }

  deinit {
    close(output)
    close(errors)
  }

  /// Ends the program and what it has started, if it is there still.
  func kill() {
    isGone.withLock { isGone in
      if !isGone { _ = CLinux.kill(-id, SIGKILL) }
    }
  }

  /// Reads what the program writes until it has ended, and ends it when its time is over. Blocks.
  func attend(_ limits: ChildProgram.Limits) -> ChildProgram.Outcome {
    let end = ContinuousClock.now + limits.time
    var (kept, isOpen, isTimedOut) = ([[UInt8](), []], [true, true], false)
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while isOpen.contains(true) {
      var left = (end - ContinuousClock.now).inMilliseconds
      if left <= 0 && !isTimedOut {
        isTimedOut = true
        kill()
      }
      // Who was killed closes its pipes; a second is for those that nobody can kill.
      if isTimedOut && left < -1000 { break }
      left = max(left, isTimedOut ? 100 : 0)
      var events = [
        pollfd(fd: isOpen[0] ? output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen[1] ? errors : -1, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&events, 2, Int32(clamping: min(left, 1000))) > 0 else { continue }
      for index in 0..<2 where events[index].revents != 0 {
        let count = read(events[index].fd, &chunk, chunk.count)
        if count < 0 && lastError == EINTR { continue }
        if count <= 0 { isOpen[index] = false }
        kept[index] += chunk.prefix(max(0, min(count, limits.outputBytes - kept[index].count)))
      }
    }
    if !isTimedOut { isTimedOut = awaitEnd(until: end) }
    return ChildProgram.Outcome(status: reap(), output: kept[0], errors: kept[1], isTimedOut: isTimedOut)
  }

  /// Waits for a program that has closed its outputs and runs on.
  /// - Returns: whether it was ended because its time was over.
  private func awaitEnd(until end: ContinuousClock.Instant) -> Bool {
    while true {
      var information = siginfo_t()
      let code = waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT | WNOHANG)
      // Nothing is filled in while it runs.
      if code != 0 || information.si_signo == SIGCHLD { return false }
      guard ContinuousClock.now < end else {
        kill()
        return true
      }
      usleep(5000)
    }
  }

  private func reap() -> Int32 {
    isGone.withLock { isGone in
      // What it may have left behind in its group goes with it.
      _ = CLinux.kill(-id, SIGKILL)
      var status: Int32 = 0
      while waitpid(id, &status, 0) < 0 && lastError == EINTR {}
      isGone = true
      let signal = status & 0x7f
      return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
  }

  private static func pipe() throws(FileError) -> (readEnd: Int32, writeEnd: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw FileError("pipe2", lastError) }
    return (ends[0], ends[1])
  }
}
