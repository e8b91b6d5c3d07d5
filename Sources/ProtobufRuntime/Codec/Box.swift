/// Holds the value of a recursive field on the heap. Immutable, so sharing it is invisible.
public final class Box<Value: Sendable & Equatable>: Sendable, Equatable {
  public let value: Value

  public init(_ value: Value) {
    self.value = value
  }

  public static func == (a: Box, b: Box) -> Bool {
    a === b || a.value == b.value
  }
}
