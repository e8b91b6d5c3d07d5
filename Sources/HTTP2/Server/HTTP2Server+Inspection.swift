internal import Base
public import RPC

extension HTTP2Server: InspectableServer {
  public func inspect() async -> InspectedServer {
    let (connections, closed) = state.withLock { (Array($0.connections.values), $0.closedCalls) }
    var calls = closed
    // One visit of each loop, however many connections it has.
    for (_, ofLoop) in Dictionary(grouping: connections, by: { $0.loop.number }) {
      calls += await ofLoop[0].loop.value { ofLoop.reduce(into: CallTotals()) { $0 += $1.callTotals } }
    }
    return InspectedServer(
      name: InspectionName(id: inspectionID, text: boundAddresses.map(\.description).joined(separator: ", ")),
      calls: calls, listenSockets: listeners.map(\.listener.inspectionName))
  }

  public func connections(from id: Int64, limit: Int) -> (names: [InspectionName], isEnd: Bool) {
    let rest = state.withLock { state in state.connections.values.filter { $0.inspectionID >= id } }
      .sorted { $0.inspectionID < $1.inspectionID }
    return (rest.prefix(limit).map(\.inspectionName), rest.count <= limit)
  }

  public func inspectSocket(_ id: Int64) async -> InspectedSocket? {
    if let listener = listeners.first(where: { $0.listener.inspectionName.id == id })?.listener {
      var socket = InspectedSocket(name: listener.inspectionName)
      socket.local = listener.address.address.inspected
      return socket
    }
    guard let connection = state.withLock({ $0.connections.values.first { $0.inspectionID == id } }) else { return nil }
    return await connection.loop.value { connection.inspect() }
  }
}
