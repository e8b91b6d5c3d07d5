import DomainKit
import Identity
import IdentityAPI

extension House {
  /// One with an admin and two others.
  static func withAdmin(_ trail: Trail = Trail()) async throws -> (
    House, root: Client, ada: (client: Client, id: String), eve: (client: Client, id: String)
  ) {
    let house = try await House.open(audit: { _ in trail })
    let (root, _) = try await house.signIn("root_")
    try await house.identity.grantRole(handle: "root_", role: "admin")
    func someone(_ handle: String) async throws -> (client: Client, id: String) {
      let (client, login) = try await house.signIn(handle)
      return (client, login.user?.id ?? "")
    }
    return (house, root, try await someone("ada"), try await someone("eve"))
  }
}
