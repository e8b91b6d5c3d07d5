internal import CLinux

/// A thread of the operating system, for C code that blocks: it must run neither on the cooperative pool nor on an
/// event loop.
public final class OSThread: @unchecked Sendable {
  // Unchecked because `pthread_t` is a pointer; it is written once, before the object is shared.
  private let handle: pthread_t
  private let isJoined = Locked(false)

  /// Starts a thread; a system without room for one ends the process.
  /// - Parameters:
  ///   - name: shown by `top -H` and debuggers; cut to 15 bytes, a limit of Linux.
  ///   - body: what the thread does. The thread ends when it returns.
  public convenience init(name: String, _ body: @escaping @Sendable () -> Void) {
    do {
      try self.init(ifPossible: name, body)
    } catch {
      preconditionFailure("pthread_create failed: \(error.code)")
    }
  }

  /// Starts a thread. All signals but those that its own faults raise are blocked in it, so that they reach the thread
  /// that wants them; SIGPIPE in particular must not end the process when OpenSSL writes to a socket whose peer is gone.
  /// - Parameters:
  ///   - name: shown by `top -H` and debuggers; cut to 15 bytes, a limit of Linux.
  ///   - body: what the thread does. The thread ends when it returns.
  public init(ifPossible name: String, _ body: @escaping @Sendable () -> Void) throws(OSThreadError) {
    var blocked = sigset_t()
    var previous = sigset_t()
    sigfillset(&blocked)
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF] { sigdelset(&blocked, signal) }
    pthread_sigmask(SIG_SETMASK, &blocked, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }

    let start = Unmanaged.passRetained(Start(name, body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        // The pointer is the retained `Start` passed below, never nil.
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        // By the thread itself, so that its body never runs under the name of the thread that started it.
        pthread_setname_np(pthread_self(), String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw OSThreadError(code: code)
    }
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
    let name: String
    let body: @Sendable () -> Void

    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}

/// The system has no room for another thread.
public struct OSThreadError: Error, Equatable {
  /// What pthread_create returned.
  public let code: Int32
}
