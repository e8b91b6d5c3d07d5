import Base
import DomainKit
import Foundation
import IdentityAPI
import Storage
import Testing

@testable import Identity

/// What other domains are told of the devices of people.
@Suite struct DeviceTests {
  @Test func `accounts on one device are known to be, and sessions without a device are not`() async throws {
    let house = try await House.open()
    let (phone, tablet) = (try DeviceKey("phone"), try DeviceKey("tablet"))
    func signIn(_ handle: String, _ device: DeviceKey?) async throws -> Caller {
      let login = try await house.client().login(handle, device: device)
      let user = try Identifier(login.user?.id ?? "", kind: "user", field: "id")
      let session: Identifier? = try await house.database.read { reader in
        try reader.first("SELECT id FROM identity_sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1", user) { $0[0] }
      }
      return Caller(user: user, session: try #require(session))
    }
    for handle in ["ada", "eve"] { try await house.client().register(handle) }
    let callers = [
      try await signIn("ada", phone), try await signIn("eve", phone), try await signIn("eve", tablet),
      try await signIn("eve", nil),
    ]
    let people = house.identity.people
    let devices = try await house.database.read { reader in try callers.map { try people.device(of: $0, in: reader) } }
    #expect(devices[0] != nil && devices[0] == devices[1])
    #expect(devices[2] != nil && devices[2] != devices[0])
    #expect(devices[3] == nil)
    let all = try await house.database.read { reader in try people.devices(of: callers[1].user, in: reader) }
    #expect(Set(all) == Set(devices.compactMap { $0 }))
    await house.close()
  }
}
