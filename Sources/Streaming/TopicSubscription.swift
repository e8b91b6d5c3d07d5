internal import Base
internal import Storage

/// Takes live events without a waiting task: the cheapest way to many subscribers.
public protocol TopicSink: AnyObject, Sendable {
  /// Takes an event. Called in order and never concurrently for one subscription, mostly on the thread that commits:
  /// hand the event over and return, and do not call back into the subscription.
  /// - Returns: whether there is room for another one; if not, the subscription ends with `slowReader`.
  func receive(_ event: TopicEvent) -> Bool

  /// No more events come. Called once, last.
  func end(_ error: TopicError)
}

/// One subscriber of one lossless topic: every event after its start, once each, in order.
///
/// Read with `next()`, from one task at a time, or hand over to a sink. Letting go of the object ends it.
public final class TopicSubscription: Sendable {
  public let topic: Topic
  let core: SubscriberCore
  private let hub: TopicHub

  init(_ core: SubscriberCore, hub: TopicHub) {
    self.core = core
    self.hub = hub
    topic = core.topic
  }

  deinit {
    hub.unregister(core)
  }

  /// Waits for the next event.
  /// - Throws: `TopicError` when the subscription has ended, `StorageError` if a replay cannot be read (may be
  ///   repeated), `CancellationError`.
  public func next() async throws -> TopicEvent {
    while true {
      switch core.step() {
      case .take(let event): return event
      case .load(let after): try await hub.load(core, after: after)
      case .wait: try await core.arrival.park()
      case .end(let error): throw error
      }
    }
  }

  /// The next event if it is already here. Saves a frame per event when several have come in.
  public func nextIfReady() -> TopicEvent? {
    core.takeIfQueued()
  }

  /// The token of the last event that was taken: what a client must come back with.
  public var lastToken: String { core.lastToken }

  /// Replays what is to be replayed into a sink and then leaves the subscription to it. Returns once it is live;
  /// from then on the sink is called as events are committed, for as long as this object lives.
  /// - Throws: `TopicError` if the subscription has ended (the sink is told as well), `StorageError`,
  ///   `CancellationError`.
  public func forward(to sink: any TopicSink) async throws {
    while true {
      switch core.attach(sink) {
      case .take: continue
      case .load(let after): try await hub.load(core, after: after)
      case .wait: return
      case .end(let error): throw error
      }
    }
  }
}

/// The part of a subscription that the hub holds.
final class SubscriberCore: Sendable {
  let topic: Topic
  let arrival = ParkingSpot()
  private let tokens: ResumeTokens
  private let guarded: Locked<Guarded>

  private struct Guarded {
    var state: SubscriptionState
    var sink: (any TopicSink)?
    var isSinkTold = false
  }

  init(_ topic: Topic, after sequence: UInt64, limits: TopicLimits, tokens: ResumeTokens) {
    self.topic = topic
    self.tokens = tokens
    guarded = Locked(Guarded(state: SubscriptionState(after: sequence, limits: limits)))
  }

  var lastToken: String {
    tokens.make(topic, guarded.withLock { $0.state.taken })
  }

  func start(after position: TopicPosition) {
    guarded.withLock { $0.state.start(after: position) }
  }

  func start(born: Int64) {
    guarded.withLock { $0.state.start(born: born) }
  }

  func step() -> SubscriptionState.Step {
    guarded.withLock { $0.state.next() }
  }

  func takeIfQueued() -> TopicEvent? {
    guarded.withLock { guarded in
      guard guarded.state.hasQueued, case .take(let event) = guarded.state.next() else { return nil }
      return event
    }
  }

  func loaded(_ page: TopicStore.Page) {
    guarded.withLock { $0.state.loaded(page.events, last: page.last) }
  }

  /// A committed event comes in.
  /// - Returns: the sink that was left because of a gap, which only the database can close.
  func announce(_ event: TopicEvent) -> (any TopicSink)? {
    change { $0.announce(event) { tokens.make(topic, $0) } }
  }

  /// Somebody says how far the topic is.
  /// - Returns: the sink that was left because it has to be read.
  func announce(_ position: TopicPosition) -> (any TopicSink)? {
    change { $0.announce(position) }
  }

  private func change(_ body: (inout SubscriptionState) -> Void) -> (any TopicSink)? {
    let stranded: (any TopicSink)? = guarded.withLock { guarded in
      body(&guarded.state)
      guard let sink = guarded.sink, case .load = pass(to: sink, &guarded) else { return nil }
      return sink
    }
    arrival.unpark()
    return stranded
  }

  /// Gives the sink what is queued, and all that comes later once there is nothing to be loaded.
  func attach(_ sink: any TopicSink) -> SubscriptionState.Step {
    guarded.withLock { guarded in
      let step = pass(to: sink, &guarded)
      if case .wait = step { guarded.sink = sink }
      return step
    }
  }

  func end(_ error: TopicError) {
    guarded.withLock { guarded in
      guarded.state.end(error)
      if let sink = guarded.sink { _ = pass(to: sink, &guarded) }
    }
    arrival.unpark()
  }

  /// Lets go of the sink without a word: its owner has let go of the subscription.
  func abandon() {
    guarded.withLock { guarded in
      guarded.state.end(.closed)
      guarded.sink = nil
    }
  }

  /// Passes on what is queued and returns the step after it.
  private func pass(to sink: any TopicSink, _ guarded: inout Guarded) -> SubscriptionState.Step {
    while true {
      let step = guarded.state.next()
      switch step {
      case .take(let event):
        if !sink.receive(event) {
          guarded.state.end(.slowReader(lastToken: tokens.make(topic, event)))
        }
      case .load:
        // Until the gap is closed, events only count as announced.
        guarded.sink = nil
        return step
      case .wait:
        return step
      case .end(let error):
        guarded.sink = nil
        if !guarded.isSinkTold { sink.end(error) }
        guarded.isSinkTold = true
        return step
      }
    }
  }
}
