/// An error that says whether it is the fault of the work that met it.
public protocol ExcusableError: Error {
  /// Whether the work can do nothing for it. An attempt that ends so does not count, so that nothing is given up because
  /// something else was down.
  var isExcused: Bool { get }
}

extension Error {
  /// Whether an attempt that ends with this does not count.
  public var costsNoAttempt: Bool { (self as? any ExcusableError)?.isExcused ?? false }
}

extension StorageError: ExcusableError {
  /// A database that is busy, full or cannot be reached, and a race that was lost.
  public var isExcused: Bool { isTransient || code == .diskFull }
}
