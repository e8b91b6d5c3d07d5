import Streaming

/// The bus of nodes that have none: each finds in the database what the others have committed.
struct SilentBus: MessageBus {
  func publish(_ subject: String, _ message: [UInt8]) {}

  func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
    BusSubscription {}
  }

  func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription { BusSubscription {} }
}
