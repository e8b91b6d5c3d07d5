internal import CSodium

/// A secret that is wiped from memory when nobody uses it any more, and never shown.
///
/// Lives in memory that is guarded at both ends and not swapped to disk where the system allows that.
public final class SecretKey: @unchecked Sendable, CustomStringConvertible {
  // Unchecked because the memory is written once, by init.
  private let memory: UnsafeMutableRawPointer

  /// How many bytes the secret has.
  public let count: Int

  /// The length of keys for hashing, sealing and tokens.
  public static let standardLength = 32

  /// Takes over the bytes. The caller's array stays as it is: wipe it if it was made for this.
  public init(_ bytes: [UInt8]) {
    Sodium.prepare()
    count = bytes.count
    guard let memory = sodium_malloc(max(bytes.count, 1)) else { fatalError("no memory for a secret") }
    self.memory = memory
    memory.bindMemory(to: UInt8.self, capacity: count).initialize(from: bytes, count: count)
    sodium_mprotect_readonly(memory)
  }

  /// A new random key.
  public static func random(count: Int = standardLength) -> SecretKey {
    var bytes = RandomBytes.make(count)
    defer { wipe(&bytes) }
    return SecretKey(bytes)
  }

  /// A key for one purpose, from which neither this key nor those for other purposes can be computed.
  public func derived(for purpose: String) -> SecretKey {
    var bytes = Hash.blake2b(Array(purpose.utf8), key: self)
    defer { wipe(&bytes) }
    return SecretKey(bytes)
  }

  deinit {
    sodium_free(memory)
  }

  /// The bytes, inside `body` only.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(start: memory, count: count))
  }

  /// The same, as C functions take it.
  func withPointer<Result>(_ body: (UnsafePointer<UInt8>) throws -> Result) rethrows -> Result {
    try body(UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)))
  }

  public var description: String { "SecretKey(\(count) bytes)" }
}

/// Overwrites bytes so that the compiler cannot leave it out.
public func wipe(_ bytes: inout [some BitwiseCopyable]) {
  bytes.withUnsafeMutableBytes { sodium_memzero($0.baseAddress, $0.count) }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
public func isEqualInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  return sodium_memcmp(a, b, a.count) == 0
}
