public import Base

/// What a mutating call is recognised by when it comes again.
public struct RequestKey: Sendable, Hashable {
  /// Who called; `Identifier(rawValue: 0)` for callers without an account.
  public let caller: Identifier

  /// The full name of the method, e.g. `octet.rides.v1.RideService/RequestRide`.
  public let method: String

  /// The 16 bytes of the UUID that the client made. Version 7 is cheapest to store: it rises with time.
  public let requestID: [UInt8]

  /// - Parameter requestID: a UUID in its usual form, 8-4-4-4-12 hexadecimal digits in either case.
  /// - Returns: nil if `requestID` is not a UUID.
  public init?(caller: Identifier, method: String, requestID: String) {
    guard let bytes = Self.uuidBytes(requestID) else { return nil }
    self.caller = caller
    self.method = method
    self.requestID = bytes
  }

  /// The method as it is stored: its name would be the longest part of a row.
  var methodHash: Int64 { StableHash.of(method) }

  private static let dashes: Set<Int> = [8, 13, 18, 23]
  private static let uuidLength = 36

  private static func uuidBytes(_ text: String) -> [UInt8]? {
    guard text.utf8.count == uuidLength else { return nil }
    var digits: [UInt8] = []
    for (index, byte) in text.utf8.enumerated() {
      if dashes.contains(index) {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digits.append(byte - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digits.append(byte - UInt8(ascii: "A") + 10)
      default: return nil
      }
    }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

/// A request id came again with another request.
public enum IdempotencyError: Error, Equatable {
  /// Reason `REQUEST_ID_REUSED`.
  case requestIDReused
}
