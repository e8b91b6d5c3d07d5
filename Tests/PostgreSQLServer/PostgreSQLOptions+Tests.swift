import Base
public import StoragePostgreSQL

extension PostgreSQLOptions {
  /// Those of tests that are not about them. Tests run side by side, each with connections of its own, on a server that
  /// has a limit and a machine that has other things to do.
  public static var ofTests: Self {
    var options = Self()
    (options.connectionTimeout, options.patience) = (.seconds(600), .seconds(600))
    // A machine that stands still for a while is no reason to give a statement up.
    (options.statementTimeout, options.lockTimeout) = (.seconds(600), .seconds(600))
    options.overtakenCommit = .seconds(600)
    (options.writers, options.readers) = (2, 2)
    return options
  }
}
