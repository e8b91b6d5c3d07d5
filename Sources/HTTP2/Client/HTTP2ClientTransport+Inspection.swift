public import RPC

/// Calls count from when a connection takes them.
extension HTTP2ClientTransport: InspectableChannel {
  public func inspect() async -> InspectedChannel {
    await census.inspect(name: InspectionName(id: inspectionID, text: targetText), state: state)
  }
}
