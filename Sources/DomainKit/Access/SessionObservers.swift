public import Base
public import Storage

/// Wants to know when sessions end: what somebody left on a device goes with the session.
public protocol SessionObserver: Sendable {
  /// Called in the transaction that ends them.
  func ended(_ sessions: [Identifier], in writer: any Writer) throws
}

/// Those who want to know when sessions end.
///
/// Filled once, before the first call; safe to share between threads.
public final class SessionObservers: Sendable {
  private let observers = Locked([any SessionObserver]())

  public init() {}

  /// Asks to be told. Before the first call.
  public func observe(_ observer: any SessionObserver) { observers.withLock { $0.append(observer) } }

  /// To be called by whoever ends sessions, in the transaction that does.
  public func ended(_ sessions: [Identifier], in writer: any Writer) throws {
    for observer in observers.withLock({ $0 }) { try observer.ended(sessions, in: writer) }
  }
}
