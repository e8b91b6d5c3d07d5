public import Storage

extension Database {
  /// Runs a body in a transaction that is taken back, whatever it wrote.
  /// - Returns: what the body returns.
  public func takenBack<Result: Sendable>(
    _ body: @escaping @Sendable (any Writer) throws -> Result
  ) async throws -> Result {
    do {
      return try await write { writer -> Result in throw TakenBack(result: try body(writer)) }
    } catch let taken as TakenBack<Result> {
      return taken.result
    }
  }
}

private struct TakenBack<Result: Sendable>: Error {
  let result: Result
}
