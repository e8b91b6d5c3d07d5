import Base
import Cryptography
import Testing

@Suite struct PasswordTests {
  private let pool = BlockingPool(name: "password", threads: 1, waiting: 100)
  /// Cheap, so that tests are quick.
  private var hasher: PasswordHasher { PasswordHasher(pool: pool, cost: PasswordCost(memoryMiB: 1, passes: 1)) }

  @Test(arguments: ["correct horse", "", "zażółć 🔑", "with \0 in it", String(repeating: "x", count: 10_000)])
  func `a password fits its own hash and no other does`(password: String) async throws {
    let hash = try await hasher.hash(password)
    #expect(try await hasher.verify(password, against: hash))
    #expect(try await !hasher.verify(password + "x", against: hash))
  }

  @Test func `what follows a NUL counts`() async throws {
    let hash = try await hasher.hash("a\0b")
    #expect(try await !hasher.verify("a\0c", against: hash))
    #expect(try await !hasher.verify("a", against: hash))
  }

  @Test func `the same password never has the same hash`() async throws {
    let (first, second) = (try await hasher.hash("x"), try await hasher.hash("x"))
    #expect(first != second)
  }

  @Test func `the hash says how it was made, 64 MiB and 3 passes unless told otherwise`() async throws {
    let hash = try await PasswordHasher(pool: pool).hash("x")
    #expect(hash.hasPrefix("$argon2id$v=19$m=65536,t=3,p=1$"))
  }

  @Test(arguments: [(46, 1), (19, 2), (12, 3), (9, 4), (7, 5), (7, 50), (64, 3)])
  func `less memory takes more passes to be enough`(memoryMiB: Int, passes: Int) {
    #expect(PasswordCost(memoryMiB: memoryMiB, passes: passes).isEnough)
  }

  @Test(arguments: [(45, 1), (18, 2), (11, 3), (8, 4), (6, 5), (6, 50)])
  func `less is not enough`(memoryMiB: Int, passes: Int) {
    #expect(!PasswordCost(memoryMiB: memoryMiB, passes: passes).isEnough)
  }

  @Test func `nothing fits what is no hash`() async throws {
    #expect(try await !hasher.verify("x", against: ""))
    #expect(try await !hasher.verify("x", against: "$argon2id$v=19$m=65536,t=3,p=1$"))
  }
}
