/// An ordered list of header fields, names in lower case, values as bytes; pseudo-headers are not in it.
///
/// All octets live in one buffer, so that a request's headers cost two allocations however many they are.
public struct HeaderList: Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    var nameStart: UInt32
    var nameLength: UInt32
    var valueLength: UInt32
  }

  private(set) var octets: [UInt8] = []
  private(set) var entries: [Entry] = []

  public init() {}

  public var count: Int { entries.count }
  public var isEmpty: Bool { entries.isEmpty }

  /// The size that RFC 9113 §6.5.2 counts: octets of names and values plus 32 per field.
  public var listSize: Int { octets.count + 32 * entries.count }
}
