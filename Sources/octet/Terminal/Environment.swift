import Glibc

/// The variables of the process.
struct Environment {
  /// The value of a variable; nil if it is not set or empty.
  subscript(name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
