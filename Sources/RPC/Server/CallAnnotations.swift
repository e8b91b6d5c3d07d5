internal import Base

/// What interceptors and the handler attach to a call. Safe to share between threads.
final class CallAnnotations: Sendable {
  struct Values {
    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()
    /// nil for the server's choice.
    var responseCompression: MessageEncoding?
    /// Most calls have one value, the caller, which needs no list.
    private var first: (key: ObjectIdentifier, value: any Sendable)?
    private var others: [(key: ObjectIdentifier, value: any Sendable)] = []

    /// A linear search: a call has a handful of values.
    subscript<Key: CallKey>(_ key: Key.Type) -> Key.Value? {
      get {
        let key = ObjectIdentifier(key)
        if let first, first.key == key { return first.value as? Key.Value }
        return others.first { $0.key == key }?.value as? Key.Value
      }
      set {
        let key = ObjectIdentifier(key)
        if first?.key == key || (first == nil && others.isEmpty) {
          first = newValue.map { (key, $0) }
        } else {
          others.removeAll { $0.key == key }
          if let newValue { others.append((key, newValue)) }
        }
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
