/// What carries messages between the nodes of a service: at most once, and not for sure. Whoever needs all of them takes
/// a message as a hint and the database as the truth.
///
/// Safe to share between threads.
public protocol MessageBus: Sendable {
  /// Sends a message to whoever has subscribed on other nodes. Never waits: what cannot be sent is dropped.
  func publish(_ subject: String, _ message: [UInt8])

  /// Calls `handler` with every message on a subject that comes in, one after the other. It must return soon
  /// and expect anything in a message.
  /// - Returns: the subscription; it ends when the object is let go.
  func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription

  /// Calls `handler` after messages may have been lost, once it is likely that others will come through; not for each
  /// message that is lost.
  /// - Returns: the registration; it ends when the object is let go.
  func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription
}

/// Keeps a handler with a bus. Letting go of it ends that; a call that has begun may still go on.
public final class BusSubscription: Sendable {
  private let cancel: @Sendable () -> Void

  /// - Parameter cancel: called once, when the object is let go.
  public init(_ cancel: @escaping @Sendable () -> Void) {
    self.cancel = cancel
  }

  deinit {
    cancel()
  }
}
