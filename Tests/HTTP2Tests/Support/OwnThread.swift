import Base
import CLinux
import Testing

/// Runs each test of a suite on a thread of its own, where it may block: `RawPeer` reads with blocking calls, and on the
/// threads of the cooperative pool, which are as many as processors, those would hold up every other test.
///
/// Some at a time: of hundreds that have begun, each would wait for a processor while its server's clock goes on.
struct OwnThread: SuiteTrait, TestTrait, TestScoping {
  private static let turnstile = Turnstile(places: 16)

  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    await Self.turnstile.enter()
    defer { Self.turnstile.leave() }
    let thread = TestThread()
    defer { thread.stop() }
    try await withTaskExecutorPreference(thread) { try await function() }
  }
}

extension Trait where Self == OwnThread {
  /// See `OwnThread`.
  static var ownThread: Self { Self() }
}

/// Lets a number of tasks in at once; the others wait in line.
private final class Turnstile: Sendable {
  private struct State {
    var free: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Locked<State>

  init(places: Int) {
    state = Locked(State(free: places))
  }

  func enter() async {
    await withCheckedContinuation { (entry: CheckedContinuation<Void, Never>) in
      let mayEnter = state.withLock { state in
        if state.free == 0 {
          state.waiting.append(entry)
          return false
        }
        state.free -= 1
        return true
      }
      if mayEnter { entry.resume() }
    }
  }

  func leave() {
    let next: CheckedContinuation<Void, Never>? = state.withLock { state in
      if !state.waiting.isEmpty { return state.waiting.removeFirst() }
      state.free += 1
      return nil
    }
    next?.resume()
  }
}

/// One thread that runs tasks.
final class TestThread: TaskExecutor {
  private static let name = "own-test-thread"
  private let jobs = BlockingQueue<UnownedJob>(limit: .max)

  init() {
    let jobs = jobs
    _ = OSThread(name: Self.name) { [unowned self] in
      // Whoever waits for a job holds the executor, so that it is there as long as there are jobs.
      while let job = jobs.pop(atMost: 1).first { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    do {
      try jobs.push(UnownedJob(job))
    } catch {
      preconditionFailure("a task goes on after the end of its test")
    }
  }

  /// Lets the thread end when nothing is left to do.
  func stop() { jobs.close() }

  /// Whether the caller runs on such a thread.
  static var isCurrent: Bool {
    // Longer than any name of a thread, which Linux cuts at 15 octets and a zero.
    var name = [CChar](repeating: 0, count: 16)
    return pthread_getname_np(pthread_self(), &name, name.count) == 0
      && String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == Self.name
  }
}
