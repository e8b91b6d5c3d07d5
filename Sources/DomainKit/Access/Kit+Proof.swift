import Base

extension Kit {
  /// Lets pass who has proved the password, or a code, lately: for what cannot be undone, and for much money.
  /// - Parameters:
  ///   - standing: as `mutate` gives it; nil for a caller without credentials, who has proved nothing.
  ///   - age: how long ago the proof may have been given.
  /// - Throws: `KitError.stepUpRequired`: the caller proves it by SessionService.StepUp and repeats the call.
  public func requireProof(_ standing: Standing?, within age: Duration) throws(KitError) {
    guard let standing, clock.now() - standing.provedAt <= age else { throw .stepUpRequired }
  }
}
