internal import Base
internal import RPC

/// The connections of a client, on all its loops, and what those that are gone have counted. Safe to share between
/// threads.
final class ConnectionCensus: Sendable {
  private struct State {
    var connections: [Int64: ClientConnection] = [:]
    /// By address; it stays when its connections are gone.
    var places: [SocketAddress: Place] = [:]
  }

  private struct Place {
    let inspectionID = InspectionID.next()
    var closedCalls = CallTotals()
  }

  private let state = Locked(State())

  /// A connection was made.
  func add(_ connection: ClientConnection) {
    state.withLock { state in
      state.connections[connection.inspectionID] = connection
      if state.places[connection.address] == nil, state.places.count < HTTP2Limits.inspectedAddresses {
        state.places[connection.address] = Place()
      }
    }
  }

  /// A connection has ended, or an attempt to make one. On its loop.
  func remove(_ connection: ClientConnection) {
    state.withLock { state in
      guard state.connections.removeValue(forKey: connection.inspectionID) != nil else { return }
      state.places[connection.address]?.closedCalls += connection.callTotals
    }
  }

  /// A subchannel for each address that was reached.
  func inspect() async -> [InspectedSubchannel] {
    let (connections, places) = state.withLock { ($0.connections, $0.places) }
    var result: [InspectedSubchannel] = []
    for (address, place) in places.sorted(by: { $0.value.inspectionID < $1.value.inspectionID }) {
      var calls = place.closedCalls
      var sockets: [InspectedSocket] = []
      for (_, connection) in connections.sorted(by: { $0.key < $1.key }) where connection.address == address {
        let (socket, totals) = await connection.loop.value { (connection.inspect(), connection.callTotals) }
        calls += totals
        sockets.append(socket)
      }
      result.append(
        InspectedSubchannel(
          name: InspectionName(id: place.inspectionID, text: "\(address)"), target: "\(address)",
          state: sockets.isEmpty ? .idle : .ready, calls: calls, sockets: sockets))
    }
    return result
  }
}
