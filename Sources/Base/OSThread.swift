internal import CLinux

/// A thread of the operating system, for C code that blocks: it must run neither on the cooperative pool nor on an
/// event loop.
public final class OSThread: @unchecked Sendable {
  // Unchecked because `pthread_t` is a pointer; it is written once, before the object is shared.
  private let handle: pthread_t
  private let isJoined = Locked(false)

  /// Starts a thread. All signals are blocked in it, so that they reach the thread that wants them.
  /// - Parameters:
  ///   - name: shown by `top -H` and debuggers; cut to 15 bytes, a limit of Linux.
  ///   - body: what the thread does. The thread ends when it returns.
  public init(name: String, _ body: @escaping @Sendable () -> Void) {
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }

    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { argument in
        // The pointer is the retained `Start` passed below, never nil.
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    precondition(result == 0, "pthread_create failed: \(result)")
    pthread_setname_np(thread, String(decoding: name.utf8.prefix(15), as: UTF8.self))
    handle = thread
  }

  /// Waits for the thread's end. Blocks; may be repeated. Must not be called by the thread itself.
  public func join() {
    isJoined.withLock { isJoined in
      if !isJoined { pthread_join(handle, nil) }
      isJoined = true
    }
  }

  deinit {
    // A thread that nobody waits for gives its memory back by itself.
    if !isJoined.withLock({ $0 }) { pthread_detach(handle) }
  }

  /// Runs one blocking body on a thread of its own and gives its result to the caller's executor.
  public static func run<Result: Sendable>(
    name: String, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withUnsafeThrowingContinuation { continuation in
      _ = OSThread(name: name) { continuation.resume(with: Swift.Result { try body() }) }
    }
  }

  private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
