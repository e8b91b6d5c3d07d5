internal import Base
internal import CLinux
public import RPC

/// One thread that waits for sockets, timers and work, and runs what became possible, in ticks: read everything,
/// run everything, then write once per connection.
///
/// Connections, streams and their handlers live on one loop for their whole life, so none of them needs a lock. The
/// loop is the task executor of the handlers and can be the serial executor of an actor. Nothing on it may block.
public final class EventLoop: CallExecutor, SerialExecutor, @unchecked Sendable {
  // Unchecked because the compiler cannot see that everything below `mailbox` is touched on the loop's thread only.

  /// What other threads reach.
  private struct Mailbox {
    var work: [Work] = []
    /// Whether the loop waits, or is about to, and must be woken.
    var isAsleep = false
    var isStopped = false
  }

  enum Work {
    case job(UnownedJob)
    case closure(@Sendable () -> Void)
  }

  private struct Registration {
    var handler: (any ReadinessHandler)?
    var generation: UInt32
  }

  public let number = ExecutorNumber.next()
  private let inflateTurns = InflateTurns()
  private let mailbox = Locked(Mailbox())
  private let epoll: Descriptor
  private let wakeUp: Descriptor
  /// Set by the thread itself before anybody else can see the loop.
  private var thread = pthread_t()

  private var local: [Work] = []
  private var running: [Work] = []
  /// Work for the next tick.
  private var upcoming: [Work] = []
  // Exclusive access is not checked at run time: its methods call nothing of ours.
  @exclusivity(unchecked) var timers = TimerHeap()
  /// By descriptor number.
  private var registrations: [Registration] = []
  private var unflushed: [any TickFlushable] = []
  private var isStopping = false
  private var stopped: (@Sendable () -> Void)?
  private let events: UnsafeMutablePointer<epoll_event>
  private let delay: QueueDelay
  private(set) var busyPoll: BusyPoll

  /// Where received bytes land first; shared by all connections of the loop, so that an idle one holds no buffer.
  let readBuffer: UnsafeMutableRawBufferPointer
  /// Where frames are gathered before a write; likewise.
  let output = OutputBuffer()
  /// Frames are gathered up to this many octets, and written then.
  let batchSize: Int
  /// The memory of the loop's HTTP/2 sessions.
  let sessionMemory = SessionMemory()
  /// A test's clock; nil for the system's.
  let manualTime: ManualTime?
  /// When this tick began, in nanoseconds of the loop's clock: for what need not be exact.
  private(set) var tickTime: Int64
  private(set) var tickNumber: UInt64 = 0
  /// Where connections count whose holdings nobody bounds.
  let unbounded = HeldBytes(limit: .max) { [] }
  /// What clients' TLS handshakes may take of the loop.
  let handshakes = Handshakes()

  /// Starts the thread.
  /// - Parameter name: the thread's name, at most 15 octets.
  public convenience init(name: String = "octet-loop") throws(SystemError) {
    try self.init(name: name, time: nil, busyPoll: Self.defaultBusyPoll)
  }

  /// For how long a loop looks for events before it sleeps: `HTTP2Limits.busyPoll`.
  public static var defaultBusyPoll: Duration { HTTP2Limits.busyPoll }

  /// - Parameters:
  ///   - time: the clock of the loop's timers; nil for the system's.
  ///   - readSize: octets that one read takes at most.
  ///   - batchSize: octets that are gathered for one write.
  ///   - busyPoll: for how long it looks for events before it sleeps.
  package init(
    name: String, time: ManualTime?, readSize: Int = HTTP2Limits.readBufferSize,
    batchSize: Int = HTTP2Limits.outputBatchSize, busyPoll: Duration = .zero
  ) throws(SystemError) {
    manualTime = time
    self.batchSize = batchSize
    self.busyPoll = BusyPoll(busyPoll)
    tickTime = time?.now ?? Self.monotonicTime()
    delay = QueueDelay { time?.now ?? Self.monotonicTime() }
    epoll = Descriptor(try syscall("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
    wakeUp = Descriptor(
      try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) })
    events = .allocate(capacity: HTTP2Limits.eventsPerPoll)
    readBuffer = .allocate(byteCount: readSize, alignment: 64)
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: Self.wakeUpToken))
    try syscall("epoll_ctl") { epoll_ctl(epoll.number, EPOLL_CTL_ADD, wakeUp.number, &event) }
    // Closed when `thread` is set; nobody sees the loop earlier.
    let started = BlockingQueue<Void>(limit: 1)
    do {
      _ = try OSThread(ifPossible: name) {
        self.thread = pthread_self()
        started.close()
        self.run()
      }
    } catch {
      throw SystemError(error)
    }
    _ = started.pop(atMost: 1)
  }

  deinit {
    events.deallocate()
    readBuffer.deallocate()
  }

  /// The loop's clock in nanoseconds.
  func now() -> Int64 { manualTime?.now ?? Self.monotonicTime() }

  private static let wakeUpToken = UInt64.max

  public var queueDelay: QueueDelay? { delay }

  public var inflating: InflateTurns? { inflateTurns }

  public var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

  /// Ends the thread after the work that is queued, then calls `completion` on it. Work given later is dropped.
  func stop(completion: @escaping @Sendable () -> Void) {
    execute {
      self.isStopping = true
      self.stopped = completion
    }
  }

  // MARK: - The thread

  private func run() {
    while !isStopping {
      poll()
      runDueTimers()
      if inflateTurns.areWaiting { inflateTurns.takeTurns() }
      takeMail()
      runLocalWork()
      flush()
    }
    mailbox.withLock { $0.isStopped = true }
    takeMail()
    runLocalWork()
    stopped?()
  }

  /// Waits for events, not at all if there is work, and at most until the next timer.
  private func poll() {
    var timeout: Int32 = 0
    timers.settle()
    if !upcoming.isEmpty {
      local.append(contentsOf: upcoming)
      upcoming.removeAll(keepingCapacity: true)
    }
    if local.isEmpty, unflushed.isEmpty, !inflateTurns.areWaiting {
      let mayWait = mailbox.withLock { mailbox in
        mailbox.isAsleep = mailbox.work.isEmpty
        return mailbox.isAsleep
      }
      if mayWait { timeout = timers.nextDeadline.map(milliseconds(until:)) ?? -1 }
    }
    let isIdle = timeout != 0
    let isTimed = isIdle && (delay.isWanted || busyPoll.budget > 0)
    let wentIdle = isTimed ? now() : 0
    var count: Int32 = 0
    if isTimed, busyPoll.time > 0 {
      count = look(for: busyPoll.time, timeout)
      // The next timer has come nearer.
      if count == 0, timeout > 0 { timeout = timers.nextDeadline.map(milliseconds(until:)) ?? -1 }
    }
    if count == 0 { count = wait(timeout) }
    let lastTick = tickTime
    tickTime = now()
    if isTimed { busyPoll.waited(tickTime - wentIdle) }
    tickNumber += 1
    inflateTurns.tickBegan()
    if delay.isWanted {
      // Who sleeps has left nothing waiting.
      let hasSlept = isIdle && tickTime - wentIdle > HTTP2Limits.shortestSleep
      delay.batchBegan(at: tickTime, after: hasSlept ? 0 : tickTime - lastTick)
    }
    for index in 0..<Int(count) {
      let token = events[index].data.u64
      if token == Self.wakeUpToken {
        var counter: UInt64 = 0
        _ = read(wakeUp.number, &counter, MemoryLayout<UInt64>.size)
      } else {
        dispatch(token, Readiness(rawValue: events[index].events))
      }
    }
  }

  private func wait(_ timeout: Int32) -> Int32 {
    do {
      return try syscall("epoll_wait") {
        epoll_wait(epoll.number, events, Int32(HTTP2Limits.eventsPerPoll), timeout)
      }
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// Looks for events without sleeping, not beyond the next timer.
  private func look(for time: Int64, _ timeout: Int32) -> Int32 {
    busyPoll.looks += 1
    // Real time even under a test's clock, which does not run meanwhile.
    let end = Self.monotonicTime() + (timeout > 0 ? min(time, Int64(timeout) * 1_000_000) : time)
    while Self.monotonicTime() < end {
      let count = wait(0)
      if count > 0 { return count }
      // Another thread that wants this processor gets it.
      sched_yield()
    }
    return 0
  }

  /// An event may be stale: the descriptor was closed, perhaps even taken anew, earlier in this tick.
  private func dispatch(_ token: UInt64, _ readiness: Readiness) {
    let registration = registrations[Int(token & 0xffff_ffff)]
    guard registration.generation == UInt32(token >> 32) else { return }
    registration.handler?.ready(readiness)
  }

  private func runDueTimers() {
    while let work = timers.popDue(now: tickTime) { work() }
  }

  private func takeMail() {
    let mail = mailbox.withLock { mailbox in
      mailbox.isAsleep = false
      guard !mailbox.work.isEmpty else { return [Work]() }
      let work = mailbox.work
      mailbox.work = []
      return work
    }
    local.append(contentsOf: mail)
  }

  /// Runs what is queued and what that queues, for a bounded number of rounds, so that sockets get their turn.
  private func runLocalWork() {
    var rounds = 0
    while !local.isEmpty, rounds < HTTP2Limits.workRoundsPerTick {
      rounds += 1
      swap(&local, &running)
      for work in running {
        switch work {
        case .job(let job):
          job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        case .closure(let body):
          body()
        }
      }
      running.removeAll(keepingCapacity: true)
    }
  }

  private func flush() {
    guard !unflushed.isEmpty else { return }
    let batch = unflushed
    unflushed.removeAll(keepingCapacity: true)
    for connection in batch { connection.flush() }
  }
}

// MARK: - Work

extension EventLoop {
  public func enqueue(_ job: consuming ExecutorJob) {
    submit(.job(UnownedJob(job)))
  }

  public func execute(_ work: @escaping @Sendable () -> Void) {
    submit(.closure(work))
  }

  /// Runs `work` in the next tick, when its sockets have had their turn. On the loop only.
  func executeNextTick(_ work: @escaping @Sendable () -> Void) {
    assert(isCurrent)
    upcoming.append(.closure(work))
  }

  /// Work from the loop itself costs no system call; other threads write to the event descriptor if the loop sleeps.
  private func submit(_ work: Work) {
    if isCurrent {
      local.append(work)
      return
    }
    let mustWake = mailbox.withLock { mailbox in
      if mailbox.isStopped { return false }
      mailbox.work.append(work)
      defer { mailbox.isAsleep = false }
      return mailbox.isAsleep
    }
    if mustWake {
      var one: UInt64 = 1
      _ = write(wakeUp.number, &one, MemoryLayout<UInt64>.size)
    }
  }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

  public func checkIsolated() {
    precondition(isCurrent, "not on the event loop's thread")
  }

  public func isIsolatingCurrentContext() -> Bool? { isCurrent }
}

// MARK: - Sockets

extension EventLoop {
  /// Calls `handler` whenever the descriptor is ready in the sense of `interest`. On the loop only.
  func register(
    _ descriptor: borrowing Descriptor, _ interest: Readiness, _ handler: any ReadinessHandler
  ) throws(SystemError) {
    assert(isCurrent)
    let number = Int(descriptor.number)
    while registrations.count <= number { registrations.append(Registration(handler: nil, generation: 0)) }
    registrations[number].generation &+= 1
    registrations[number].handler = handler
    do throws(SystemError) {
      try control(EPOLL_CTL_ADD, descriptor.number, interest)
    } catch {
      // What is not watched must not be held: its descriptor would never be closed.
      registrations[number].handler = nil
      throw error
    }
  }

  /// Changes what is waited for. On the loop only.
  func update(_ descriptor: borrowing Descriptor, _ interest: Readiness) {
    assert(isCurrent)
    do {
      try control(EPOLL_CTL_MOD, descriptor.number, interest)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// Ends the calls; to be called before the descriptor is closed. On the loop only.
  func deregister(_ descriptor: borrowing Descriptor) {
    assert(isCurrent)
    let number = Int(descriptor.number)
    registrations[number].generation &+= 1
    registrations[number].handler = nil
    do {
      try control(EPOLL_CTL_DEL, descriptor.number, [])
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// Has `connection.flush()` called at the end of this tick. On the loop only; once per tick is the caller's care.
  func flushLater(_ connection: any TickFlushable) {
    assert(isCurrent)
    unflushed.append(connection)
  }

  private func control(_ operation: Int32, _ number: Int32, _ interest: Readiness) throws(SystemError) {
    let token = UInt64(registrations[Int(number)].generation) << 32 | UInt64(number)
    var event = epoll_event(events: interest.rawValue, data: epoll_data(u64: token))
    try syscall("epoll_ctl") { epoll_ctl(epoll.number, operation, number, &event) }
  }
}
