import Base
import Cryptography
import Identity

/// The real hasher at the lowest cost, which counts its work.
final class CountingPasswords: PasswordWork {
  private static let pool = BlockingPool(name: "passwords", threads: 2, waiting: 1000)

  private let hasher = PasswordHasher(pool: pool, cost: PasswordCost(memoryMiB: 1, passes: 1))
  private let count = Locked(0)

  /// How often something was hashed or checked.
  var invocations: Int { count.withLock { $0 } }

  func hash(_ password: String) async throws -> String {
    count.withLock { $0 += 1 }
    return try await hasher.hash(password)
  }

  func verify(_ password: String, against hash: String) async throws -> Bool {
    count.withLock { $0 += 1 }
    return try await hasher.verify(password, against: hash)
  }
}
