import DomainKit
import IdentityAPI
import Storage
import Testing

@testable import Identity

@Suite struct AuditTests {
  @Test func `invariants 1, 2, 4 and 6 hold after a busy day`() async throws {
    let house = try await House.open()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<30 {
        group.addTask {
          let handle = "user\(number % 20)"
          _ = try? await house.client().register(handle, contact: .email("\(handle)@example.org"))
          guard let login = try? await house.client().login(handle) else { return }
          _ = try? await house.client(login.accessToken).sendCode(.email("\(handle)@example.org"))
          _ = try? await house.client().refresh(login.refreshToken)
          if number % 3 == 0 { try? await house.client(login.accessToken).logout() }
          if number % 5 == 0 { _ = try? await house.client().refresh(login.refreshToken) }
        }
      }
    }
    try await house.identity.grantRole(handle: "user1", role: "admin")
    let reports = try await house.identity.checkInvariants()
    #expect(reports.map(\.number) == [1, 1, 2, 2, 2, 3, 4, 6])
    for report in reports { #expect(report.holds && report.rowsChecked > 0, "\(report)") }
    await house.close()
  }

  @Test func `the audit names what breaks an invariant`() async throws {
    let house = try await House.open()
    let user = try await house.client().register("ada", contact: .email("ada@example.org"))
    let session = try await house.client().login("ada").session?.id ?? ""
    try await house.execute("UPDATE identity_users SET handle_key = 'eve', password_hash = 'secret'", [])
    try await house.execute("UPDATE identity_sessions SET ended_at = 1", [])
    let broken = try await house.identity.checkInvariants().filter { !$0.holds }
    #expect(broken.map(\.number) == [1, 2, 4])
    #expect(broken.map(\.violations) == [[user.id], [session], [user.id]])
    await house.close()
  }
}
