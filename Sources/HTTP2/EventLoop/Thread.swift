internal import CLinux

/// Threads of our own, for loops and for calls that block.
enum Thread {
  private final class Start {
    let name: String
    let body: (_ started: () -> Void) -> Void
    let started: UnsafeMutablePointer<sem_t>

    init(name: String, started: UnsafeMutablePointer<sem_t>, body: @escaping (() -> Void) -> Void) {
      self.name = name
      self.started = started
      self.body = body
    }
  }

  /// Starts a detached thread and waits until `body` has called `started`.
  ///
  /// Signals are left to the threads that the program chooses; SIGPIPE in particular must not end the process when
  /// OpenSSL writes to a socket whose peer is gone.
  static func start(name: String, _ body: sending @escaping (_ started: () -> Void) -> Void) throws(SystemError) {
    let started = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    sem_init(started, 0, 0)
    defer {
      sem_destroy(started)
      started.deallocate()
    }
    let start = Unmanaged.passRetained(Start(name: name, started: started, body: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        // Not nil: it is the object passed below.
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        Thread.blockSignals()
        pthread_setname_np(pthread_self(), String(start.name.prefix(15)))
        start.body { sem_post(start.started) }
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError(operation: "pthread_create", code: code)
    }
    while sem_wait(started) != 0 {}
  }

  /// Blocks every signal but those that the thread's own faults raise.
  private static func blockSignals() {
    var set = sigset_t()
    sigfillset(&set)
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF] { sigdelset(&set, signal) }
    pthread_sigmask(SIG_SETMASK, &set, nil)
  }
}
