public import Base
public import Streaming

/// A message bus over core NATS: at most once. One thread talks to one of the servers and goes to the next when it is
/// gone; what is published meanwhile is dropped and counted.
///
/// Safe to share between threads. Handlers run on the bus's thread.
public final class NATSBus: MessageBus {
  private let state: Locked<NATSState>
  private let wakeUp: NATSWakeUp
  private let thread: OSThread

  /// Returns at once; whether there is a server shows later.
  /// - Parameters:
  ///   - url: `nats://[user:password@|token@]host[:port]`, or `tls://…` for TLS, several separated by commas.
  ///   - name: of this client, for the server's own lists.
  ///   - authorityFile: PEM with the authorities that `tls://` trusts; nil takes those of the system.
  ///   - random: spreads the attempts to connect.
  ///   - tell: hears on the bus's thread when a server was reached, and once of each reason why there is none.
  /// - Throws: `NATSError` if the URL or the file is wrong, or the system has no room.
  public convenience init(
    url: String, name: String = "octetd", authorityFile: String? = nil,
    random: any RandomSource = SystemRandomSource(), tell: @escaping @Sendable (NATSNews) -> Void = { _ in }
  ) throws(NATSError) {
    try self.init(
      url: url, name: name, authorityFile: authorityFile, random: random, limits: NATSLimits(), tell: tell)
  }

  init(
    url: String, name: String, authorityFile: String? = nil, random: any RandomSource, limits: NATSLimits,
    tell: @escaping @Sendable (NATSNews) -> Void = { _ in }
  ) throws(NATSError) {
    let addresses = try NATSAddress.parse(url)
    let trust = addresses.contains(where: \.usesTLS) ? try NATSTrust(authorityFile: authorityFile) : nil
    let state = Locked(NATSState(limits: limits))
    let wakeUp = try NATSWakeUp()
    (self.state, self.wakeUp) = (state, wakeUp)
    thread = OSThread(name: "nats") {
      NATSConnection(
        addresses, trust: trust, name: name, random: random, limits: limits, state: state, wakeUp: wakeUp, tell: tell
      ).run()
    }
  }

  deinit {
    state.withLock { $0.isClosed = true }
    wakeUp.signal()
  }

  /// Ends the connection and waits for the thread. Not to be called by a handler.
  public func close() {
    state.withLock { $0.isClosed = true }
    wakeUp.signal()
    thread.join()
  }

  public var figures: NATSFigures { state.withLock { $0.figures } }

  public func publish(_ subject: String, _ message: [UInt8]) {
    Self.check(subject)
    if state.withLock({ $0.publish(subject, message) }) { wakeUp.signal() }
  }

  public func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
    Self.check(subject)
    let number = state.withLock { $0.subscribe(subject, handler) }
    wakeUp.signal()
    return BusSubscription { [state, wakeUp] in
      state.withLock { $0.unsubscribe(number) }
      wakeUp.signal()
    }
  }

  public func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription {
    let number = state.withLock { state in
      let number = state.number()
      state.interruptions[number] = handler
      return number
    }
    return BusSubscription { [state] in state.withLock { _ = $0.interruptions.removeValue(forKey: number) } }
  }

  private static func check(_ subject: String) {
    precondition(
      !subject.isEmpty && subject.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "a subject is a word without spaces")
  }
}
