internal import Base

/// Joins a client and a server in one process, without sockets. It keeps what a network has: order, windows, closing,
/// nothing delivered within the call that sent it.
///
/// ```swift
/// let channel = RPCChannel(transport: InProcessTransport(acceptor: server), authority: "in-process")
/// ```
public final class InProcessTransport: ClientTransport {
  private struct State {
    var isShutDown = false
    var active = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let acceptor: any RequestAcceptor
  private let callExecutor: any CallExecutor
  private let state = Locked(State())

  /// - Parameter executor: where both ends of all calls run.
  public init(acceptor: any RequestAcceptor, executor: any CallExecutor = QueueExecutor()) {
    self.acceptor = acceptor
    callExecutor = executor
  }

  public func executor() -> any CallExecutor { callExecutor }
  public var isPrivate: Bool { true }

  public func open(
    _ head: RequestHead, waitsForReady: Bool, on executor: any CallExecutor, handler: any ClientStreamHandler
  ) -> any ClientStream {
    let isAdmitted = state.withLock { state in
      if !state.isShutDown { state.active += 1 }
      return !state.isShutDown
    }
    let exchange = InProcessExchange(executor: executor, client: handler) { [weak self] in self?.exchangeEnded() }
    exchange.begin(head, acceptor: isAdmitted ? acceptor : nil)
    return InProcessClientStream(exchange)
  }

  public func shutdown() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        state.isShutDown = true
        if state.active > 0 { state.waiters.append(continuation) }
        return state.active == 0
      }
      if isIdle { continuation.resume() }
    }
  }

  private func exchangeEnded() {
    let waiting = state.withLock { state in
      state.active -= 1
      guard state.active == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiting { waiter.resume() }
  }
}
