internal import Base

/// What interceptors and the handler attach to a call. Safe to share between threads.
final class CallAnnotations: Sendable {
  struct Values {
    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()
    /// nil for the server's choice.
    var responseCompression: MessageEncoding?
    private var values: [(key: ObjectIdentifier, value: any Sendable)] = []

    /// A linear search: a call has a handful of values.
    subscript<Key: CallKey>(_ key: Key.Type) -> Key.Value? {
      get {
        values.first { $0.key == ObjectIdentifier(key) }?.value as? Key.Value
      }
      set {
        values.removeAll { $0.key == ObjectIdentifier(key) }
        if let newValue { values.append((ObjectIdentifier(key), newValue)) }
      }
    }
  }

  /// Held while the annotations of some call are made.
  static let making = Locked(())

  private let values = Locked(Values())

  func with<Result: Sendable>(_ body: (inout Values) -> Result) -> Result {
    values.withLock { body(&$0) }
  }
}
