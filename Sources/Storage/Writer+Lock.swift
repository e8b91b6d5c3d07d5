/// How a named lock is held.
public enum LockMode: Sendable {
  /// Beside others who hold it so.
  case shared
  /// Alone.
  case exclusive
}

extension Writer {
  /// Holds a named lock until the transaction ends; waits for those who hold it otherwise. It costs no row, and no answer is
  /// waited for before the next statement. For what every writer has to know for certain and hardly ever changes: they hold
  /// it shared, and read after that; whoever changes it holds it alone.
  ///
  /// Two who hold a lock shared and both want it alone wait for each other, until one of them is run again.
  public func lock(_ name: StaticString, _ mode: LockMode) throws { try lock(name, 0, mode) }
}
