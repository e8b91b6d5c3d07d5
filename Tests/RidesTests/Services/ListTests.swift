import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

struct ListTests {
  @Test func `rides are listed newest first, in pages that neither repeat nor miss one`() async throws {
    let world = try await RidesWorld()
    let rider = TestRider(world)
    var made: [String] = []
    for _ in 0..<7 {
      let ride = try await rider.requestRide()
      made.insert(ride.id, at: 0)
      try await rider.cancel(ride.id)
    }
    _ = try await TestRider(world).requestRide()
    var request = ListRidesRequest()
    request.pageSize = 3
    var listed: [[String]] = []
    repeat {
      let page = try await rider.rides.listRides(request)
      listed.append(page.rides.map(\.id))
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    #expect(listed.map(\.count) == [3, 3, 1])
    #expect(listed.flatMap(\.self) == made)
  }

  @Test func `filters choose side and state, and a token of another filter is refused`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, ride) = try await world.rideUnderWay()
    var request = ListRidesRequest()
    request.side = .driver
    #expect(try await driver.rides.listRides(request).rides.map(\.id) == [ride.id])
    #expect(try await rider.rides.listRides(request).rides.isEmpty)
    request.side = .rider
    request.state = .inProgress
    #expect(try await rider.rides.listRides(request).rides.map(\.id) == [ride.id])
    request.state = .paid
    #expect(try await rider.rides.listRides(request).rides.isEmpty)
    request.pageToken = "forged"
    let forged = request
    #expect(
      await refusal { _ = try await rider.rides.listRides(forged) } == Refusal(.invalidArgument, "BAD_PAGE_TOKEN"))
  }

  @Test func `a driver is seen whole by itself and staff, in part by its rider, and not by others`() async throws {
    let world = try await RidesWorld()
    let (rider, driver, _) = try await world.rideAssigned()
    var request = GetDriverRequest()
    request.driverID = driver.id
    let own = try await driver.service.getDriver(GetDriverRequest())
    #expect(own.id == driver.id)
    #expect(own.presence == .enRoute)
    #expect(own.documents.count == 2)
    let seen = try await DriverServiceClient(rider.channel).getDriver(request)
    #expect(seen.displayName == "Driver")
    #expect(seen.vehicle?.model == "Saab 900")
    #expect(seen.userID.isEmpty && seen.documents.isEmpty && seen.presence == .unspecified)
    let staff = DriverServiceClient(world.channel(world.user("rides.ops")))
    #expect(try await staff.getDriver(request) == own)
    let asked = request
    #expect(
      await refusal { _ = try await DriverServiceClient(world.channel(world.user())).getDriver(asked) }
        == Refusal(.notFound, "NOT_FOUND"))
  }
}
