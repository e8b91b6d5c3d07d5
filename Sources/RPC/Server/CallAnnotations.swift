internal import Base

/// What interceptors and the handler attach to a call.
struct CallAnnotations {
  var initialMetadata = Metadata()
  var trailingMetadata = Metadata()
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

  /// Locks that calls share, because handlers may touch a context from any thread, but one lock per call would be the
  /// dearest part of a short call.
  private static let locks = (0..<16).map { _ in Locked(()) }

  static func lock(for call: ServerCall) -> Locked<Void> {
    // Objects are aligned to 16 octets.
    locks[(ObjectIdentifier(call).hashValue >> 4) & 15]
  }
}
