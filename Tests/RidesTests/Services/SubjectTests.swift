import Base
import DomainKit
import RidesAPI
import Storage
import Testing

@testable import Rides

struct SubjectTests {
  @Test func `a ride is seen by its rider, its driver and staff, and hangs on its rider`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideAssigned()
    let kind = RideSubject(core: world.core)
    let id = try Identifier.parse(ride.id, kind: kind.prefix)
    let users = (rider: rider.user, driver: driver.user, stranger: TestRider(world).user)
    let roles = RoleSet([RoleGrant(role: "rides.support")])
    try await world.database.read { (reader: any Reader) throws in
      #expect(try kind.facts(of: id, in: reader) == SubjectFacts(owner: users.rider))
      for user in [users.rider, users.driver] {
        #expect(try kind.canView(id, by: Caller(user: user, session: user), in: reader))
      }
      #expect(try !kind.canView(id, by: Caller(user: users.stranger, session: users.stranger), in: reader))
      #expect(try !kind.canView(id, by: nil, in: reader))
      #expect(try kind.canView(id, by: Caller(user: users.stranger, session: id, roles: roles), in: reader))
      #expect(try kind.facts(of: Identifier(rawValue: 1), in: reader) == nil)
    }
  }
}
