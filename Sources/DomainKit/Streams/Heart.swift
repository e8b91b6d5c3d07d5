import Base
public import ProtobufRuntime
public import RPC
import Storage

/// Sends a heartbeat on a stream whenever nothing else was sent for a while, so that proxies keep it open; and ends a
/// stream whose caller may not be on it any more, or may not see what it is about, also one on which nothing happens. It has
/// no task: a timer of the stream's executor offers the message, and a stream that is full needs none.
public final class Heart<Response: Message>: Sendable {
  private struct State {
    var wasSilent = false
    var isStopped = false
    var work: (any ScheduledWork)?
    var sight: Sight?
    var watch: SightWatch?
    var mustLook = false
    var isLooking = false
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
  /// - Parameter sight: what the stream is about, if it can become hidden while nothing happens to it.
  public func start(over sight: Sight? = nil) {
    if let sight, !sight.things.isEmpty {
      let watch = kit.sights.watch(sight.things) { [weak self] in self?.look() }
      state.withLock { state in
        state.sight = sight
        state.watch = watch
      }
      if kit.sights.changes != sight.since { look() }
    }
    schedule()
  }

  /// Something else was sent, so no heartbeat is due. From any thread.
  public func wasHeard() {
    state.withLock { $0.wasSilent = false }
  }

  /// Ends it for good. From any thread.
  public func stop() {
    let (work, watch) = state.withLock { state in
      state.isStopped = true
      defer { (state.work, state.watch, state.sight) = (nil, nil, nil) }
      return (state.work, state.watch)
    }
    work?.cancel()
    // Let go of out here: it takes a lock.
    withExtendedLifetime(watch) {}
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
    // A look may have found the database busy.
    if state.withLock({ $0.mustLook }) { look() }
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

  /// Has the database asked whether the caller sees still what the stream is about.
  private func look() {
    let isFirst = state.withLock { state in
      guard state.sight != nil else { return false }
      defer { state.isLooking = true }
      state.mustLook = true
      return !state.isLooking
    }
    guard isFirst else { return }
    Task { [weak self] in await self?.confirmSight() }
  }

  private func confirmSight() async {
    func next() -> Sight? {
      state.withLock { state in
        guard state.mustLook, let sight = state.sight else {
          state.isLooking = false
          return nil
        }
        state.mustLook = false
        return sight
      }
    }
    while let sight = next() {
      do {
        try await kit.database.read { try sight.confirm($0) }
      } catch let error as KitError where error != .overloaded {
        return sink.executor.execute { [sink] in sink.end(error) }
      } catch {
        // With the next beat.
        return state.withLock { ($0.mustLook, $0.isLooking) = (true, false) }
      }
    }
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
