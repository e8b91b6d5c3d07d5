internal import CSodium

/// Sees to it that libsodium is initialised before it is used.
enum Sodium {
  /// Once per process, thread-safe; repeated by nobody.
  private static let isReady: Bool = sodium_init() >= 0

  static func prepare() {
    precondition(isReady, "libsodium cannot start: no source of random bytes")
  }
}
