import Base
public import ProtobufRuntime
public import RPC

/// Sends a heartbeat on a stream whenever nothing else was sent for a while, so that proxies keep it open. It has no
/// task: a timer of the stream's executor offers the message, and a stream that is full needs none.
public final class Heart<Response: Message>: Sendable {
  private struct State {
    var wasSilent = false
    var isStopped = false
    var work: (any ScheduledWork)?
  }

  private let sink: ResponseSink
  private let interval: Duration
  private let beat: @Sendable () -> Response
  private let state = Locked(State())

  /// - Parameter interval: how often it looks whether something was sent. Proxies commonly close what is idle for 60
  ///   seconds, so the default lets no stream be silent for more than 40.
  public init(
    _ sink: ResponseSink, interval: Duration = .seconds(20), beat: @escaping @Sendable () -> Response
  ) {
    self.sink = sink
    self.interval = interval
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
    let work = sink.executor.schedule(after: interval) { [weak self] in self?.tick() }
    let isStopped = state.withLock { state in
      state.work = work
      return state.isStopped
    }
    if isStopped { work.cancel() }
  }

  private func tick() {
    let (isDue, isStopped) = state.withLock { state in
      defer { state.wasSilent = true }
      return (state.wasSilent, state.isStopped)
    }
    if isStopped { return }
    if isDue, sink.offer(EncodedMessage(beat())) == .ended { return }
    schedule()
  }
}
