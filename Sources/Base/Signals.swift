internal import CLinux

/// Signals that a process asks for, delivered to a thread of its own rather than to a handler that may do nothing.
public enum Signals {
  public static let terminate = SIGTERM
  public static let interrupt = SIGINT
  public static let hangUp = SIGHUP

  /// Blocks `signals` in this thread and those it starts later, then calls `handler` for each arrival. Call it
  /// first thing in `main`, before any other thread exists. SIGPIPE is ignored from here on, as a peer that
  /// closes its socket must not end a server.
  public static func handle(_ signals: [Int32], with handler: @escaping @Sendable (Int32) -> Void) {
    octet_ignore_sigpipe()
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals { sigaddset(&set, number) }
    let blocked = pthread_sigmask(SIG_BLOCK, &set, nil)
    precondition(blocked == 0, "pthread_sigmask failed: \(blocked)")
    let wanted = set
    _ = OSThread(name: "signals") {
      var wanted = wanted
      while true {
        var number: Int32 = 0
        if sigwait(&wanted, &number) == 0 { handler(number) }
      }
    }
  }
}
