public import Base
internal import CSodium
internal import Glibc

/// How much work one password check is: Argon2id's memory and passes.
public struct PasswordCost: Sendable, Equatable {
  public var memoryMiB: Int
  public var passes: Int

  /// - Parameters:
  ///   - memoryMiB: at least 1.
  ///   - passes: at least 1.
  public init(memoryMiB: Int, passes: Int) {
    precondition(memoryMiB >= 1 && passes >= 1, "Argon2id needs memory and a pass")
    self.memoryMiB = memoryMiB
    self.passes = passes
  }

  /// What passwords of people get: 64 MiB, 3 passes (about 0.1 s of one core).
  public static let standard = PasswordCost(memoryMiB: 64, passes: 3)

  /// The least memory in MiB for 1, 2, 3, 4 and more passes, each about as much work for a thief as any other: the
  /// OWASP Password Storage Cheat Sheet's parameters of Argon2id.
  private static let leastMemoryMiB = [46, 19, 12, 9, 7]

  /// Whether a stolen hash of this cost is held to be hard enough to guess from.
  public var isEnough: Bool {
    memoryMiB >= Self.leastMemoryMiB[min(passes, Self.leastMemoryMiB.count) - 1]
  }
}

/// Hashes and checks passwords with Argon2id, on threads of its own: never on an event loop.
public struct PasswordHasher: Sendable {
  private let pool: BlockingPool
  private let cost: PasswordCost

  /// - Parameters:
  ///   - pool: its number of threads bounds both the processor time and the memory that checks take together.
  ///   - cost: of new hashes; old ones are checked at the cost they were made with.
  public init(pool: BlockingPool, cost: PasswordCost = .standard) {
    Sodium.prepare()
    self.pool = pool
    self.cost = cost
  }

  /// Hashes a password with a new salt.
  /// - Returns: the hash with salt and cost, as text (`$argon2id$v=19$…`), at most 127 characters.
  /// - Throws: `QueueRefusal` when too many checks are waiting, `CryptographyError.outOfMemory`.
  public func hash(_ password: String) async throws -> String {
    let cost = cost
    return try await pool.run { try Self.hash(password, cost) }
  }

  /// Whether a password fits a hash.
  /// - Throws: `QueueRefusal` when too many checks are waiting, `CryptographyError.outOfMemory`.
  public func verify(_ password: String, against hash: String) async throws -> Bool {
    try await pool.run { try Self.verify(password, hash) }
  }

  private static func hash(_ password: String, _ cost: PasswordCost) throws(CryptographyError) -> String {
    var bytes = password.utf8.map(CChar.init(bitPattern:))
    defer { wipe(&bytes) }
    var text = [CChar](repeating: 0, count: Int(crypto_pwhash_STRBYTES))
    let result = crypto_pwhash_str_alg(
      &text, bytes, UInt64(bytes.count), UInt64(cost.passes), cost.memoryMiB << 20, crypto_pwhash_ALG_ARGON2ID13)
    guard result == 0 else { throw .outOfMemory }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static func verify(_ password: String, _ hash: String) throws(CryptographyError) -> Bool {
    var bytes = password.utf8.map(CChar.init(bitPattern:))
    defer { wipe(&bytes) }
    errno = 0
    if crypto_pwhash_str_verify(hash, bytes, UInt64(bytes.count)) == 0 { return true }
    // A lack of memory must not count as a wrong password.
    if errno == ENOMEM { throw .outOfMemory }
    return false
  }
}
