import Base

/// The four digits that a rider tells the driver, so that the right person gets in. Worked out anew from the ride and
/// its epoch whenever it is needed, and stored nowhere.
enum RidePIN {
  private static let count: UInt64 = 10_000
  private static let digits = 4

  /// - Parameter keyedHash: a keyed hash (such as HMAC-SHA-256) of at least 8 bytes, under a key used for nothing else.
  static func derive(ride: Identifier, epoch: Int64, keyedHash: ([UInt8]) throws -> [UInt8]) rethrows -> String {
    let message = [ride.rawValue, epoch].flatMap { number in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> Int64($0)) }
    }
    let hash = try keyedHash(message)
    precondition(hash.count >= 8, "the hash is too short")
    // 2^64 is so many times 10,000 that no PIN is noticeably likelier than another.
    let number = hash.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % count
    return String(number, width: digits)
  }
}

/// The tries that a driver has at a ride's PIN. The failed ones are stored with the ride; the PIN is not.
struct PINTries: Sendable, Equatable {
  enum Verdict: Sendable {
    case right

    /// `WRONG_PIN`.
    case wrong

    /// `TOO_MANY_ATTEMPTS`, even for the right PIN, until support resets the tries.
    case locked
  }

  static let limit = 5

  /// Wrong PINs so far, 0 to `limit`.
  private(set) var failed: Int

  /// - Parameter failed: what was stored.
  init(failed: Int = 0) {
    self.failed = failed
  }

  /// Compares what the driver typed with the PIN, and counts a failure.
  mutating func judge(_ typed: String, against pin: String) -> Verdict {
    guard failed < Self.limit else { return .locked }
    if typed == pin { return .right }
    failed += 1
    return .wrong
  }
}
