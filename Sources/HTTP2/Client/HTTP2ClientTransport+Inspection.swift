public import RPC

/// Calls count from when a connection takes them.
extension HTTP2ClientTransport: InspectableChannel {
  public func inspect() async -> InspectedChannel {
    let subchannels = await census.inspect()
    let state: ConnectivityState = subchannels.contains { $0.state == .ready } ? .ready : .idle
    return InspectedChannel(
      name: InspectionName(id: inspectionID, text: targetText), target: targetText, state: state,
      calls: subchannels.reduce(into: CallTotals()) { $0 += $1.calls }, subchannels: subchannels)
  }
}
