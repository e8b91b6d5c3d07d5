import Identity
import Rides

extension House {
  /// The password of all demo accounts.
  private static let demoPassword = "octet-demo-2026"

  /// Makes the accounts and the city that the README's tour and the tests use. Harmless when repeated.
  func seedDemo() async throws {
    try await identity.ensureUser(
      handle: "demo_admin", displayName: "Demo administrator", password: Self.demoPassword, roles: ["admin"])
    try await identity.ensureUser(
      handle: "demo_ops", displayName: "Demo operator", password: Self.demoPassword,
      roles: ["ops", "rides.ops", "rides.support"])
    try await identity.ensureUser(handle: "demo_rider", displayName: "Demo rider", password: Self.demoPassword)
    let driver = try await identity.ensureUser(
      handle: "demo_driver", displayName: "Demo driver", password: Self.demoPassword)
    try await rides.seedDemo()
    try await rides.seedDemoDriver(driver, displayName: "Dana")
  }
}
