import Base
public import Cryptography
import DomainKit

/// Hashes and checks passwords. `PasswordHasher` does it; tests count how often.
public protocol PasswordWork: Sendable {
  func hash(_ password: String) async throws -> String
  func verify(_ password: String, against hash: String) async throws -> Bool
}

extension PasswordHasher: PasswordWork {}

/// Where passwords are checked: with the same work whether or not somebody has the name.
struct PasswordDesk: Sendable {
  private let work: any PasswordWork
  /// The hash of a password that nobody knows, made at the same cost as all others.
  private let decoy: String

  init(_ work: any PasswordWork) async throws {
    self.work = work
    decoy = try await work.hash(Base64.url.encode(RandomBytes.make(SecretKey.standardLength)))
  }

  /// - Throws: `KitError.overloaded` when too many are waiting.
  func hash(_ password: String) async throws -> String {
    do {
      return try await work.hash(password)
    } catch is QueueRefusal {
      throw KitError.overloaded
    }
  }

  /// Whether a password fits; never, if there is no hash to fit.
  /// - Throws: `KitError.overloaded` when too many are waiting.
  func verify(_ password: String, against hash: String?) async throws -> Bool {
    do {
      let fits = try await work.verify(password, against: hash ?? decoy)
      return fits && hash != nil
    } catch is QueueRefusal {
      throw KitError.overloaded
    }
  }
}
