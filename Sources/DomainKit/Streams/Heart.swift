import Base
public import ProtobufRuntime
public import RPC

/// Sends a heartbeat on a stream whenever nothing else was sent for a while, so that proxies keep it open; and ends a
/// stream whose caller may not be on it any more, also one on which nothing happens. It has no task: a timer of the
/// stream's executor offers the message, and a stream that is full needs none.
public final class Heart<Response: Message>: Sendable {
  private struct State {
    var wasSilent = false
    var isStopped = false
    var work: (any ScheduledWork)?
  }

  private let kit: Kit
  private let context: ServerContext
  private let sink: ResponseSink
  private let beat: @Sendable () -> Response
  private let state = Locked(State())

  public init(
    _ kit: Kit, _ context: ServerContext, _ sink: ResponseSink, beat: @escaping @Sendable () -> Response
  ) {
    self.kit = kit
    self.context = context
    self.sink = sink
    self.beat = beat
  }

  /// Begins to beat. From any thread, once.
  public func start() {
    schedule()
  }

  /// Something else was sent, so no heartbeat is due. From any thread.
  public func wasHeard() {
    state.withLock { $0.wasSilent = false }
  }

  /// Ends it for good. From any thread.
  public func stop() {
    let work = state.withLock { state in
      state.isStopped = true
      defer { state.work = nil }
      return state.work
    }
    work?.cancel()
  }

  private func schedule() {
    guard let interval = kit.beatInterval else { return }
    let work = sink.executor.schedule(after: interval) { [weak self] in self?.tick() }
    let isStopped = state.withLock { state in
      state.work = work
      return state.isStopped
    }
    if isStopped { work.cancel() }
  }

  private func tick() {
    do {
      if try kit.judgeAtOnce(context) { beatIfSilent() } else { judgeThenBeat() }
    } catch {
      sink.end(error)
    }
  }

  /// For a caller of whom memory does not know enough. Whoever cannot be judged now, because the database is busy, is
  /// judged with the next beat.
  private func judgeThenBeat() {
    Task { [weak self] in await self?.judge() }
  }

  private func judge() async {
    do {
      try await kit.judgeAgain(context)
    } catch let error as KitError where error != .overloaded {
      return sink.executor.execute { [sink] in sink.end(error) }
    } catch {}
    sink.executor.execute { [self] in beatIfSilent() }
  }

  private func beatIfSilent() {
    let (isDue, isStopped) = state.withLock { state in
      defer { state.wasSilent = true }
      return (state.wasSilent, state.isStopped)
    }
    if isStopped { return }
    if isDue, sink.offer(EncodedMessage(beat())) == .ended { return }
    schedule()
  }
}
