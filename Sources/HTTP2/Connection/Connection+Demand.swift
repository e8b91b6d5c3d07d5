internal import RPC

extension Connection {
  /// Reads no more while the session wants silence, and is patient with the peer for as long as its demand allows.
  final func followDemand() {
    let new = session.demand
    guard new != demand else { return }
    let wasSilent = demand == .silence
    demand = new
    demandDeadline?.cancel()
    demandDeadline = nil
    switch new {
    case .anything, .silence:
      break
    case .head:
      demandDeadline = loop.schedule(after: limits.headerTimeout) {
        self.close(.connectionLost("the head of a request took too long"))
      }
    case .body:
      demandDeadline = loop.schedule(after: limits.bodyTimeout) {
        self.close(.connectionLost("the body of a request took too long"))
      }
    case .request:
      demandDeadline = loop.schedule(after: limits.requestIdleTimeout) { self.demandedRequestIsMissing() }
    }
    // Octets may wait that epoll does not tell of.
    if wasSilent { readLater() }
  }

  private func demandedRequestIsMissing() {
    session.refuseNewStreams()
    fail(.connectionLost("no further request"))
  }
}
