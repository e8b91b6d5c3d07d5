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
    NamedThread.start("signals") {
      var wanted = wanted
      while true {
        var number: Int32 = 0
        if sigwait(&wanted, &number) == 0 { handler(number) }
      }
    }
  }
}

/// A thread of the operating system with a name that `ps -L` and debuggers show.
public enum NamedThread {
  /// Starts a detached thread that runs `body` and ends with it.
  /// - Parameter name: at most 15 bytes, which is all that Linux keeps.
  public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Body(name: name, run: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, &attributes,
      { argument in
        // The argument is the box passed below; a null one cannot come from pthread_create.
        let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        pthread_setname_np(pthread_self(), body.name)
        body.run()
        return nil
      }, box.toOpaque())
    precondition(result == 0, "pthread_create failed: \(result)")
  }

  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }
}
