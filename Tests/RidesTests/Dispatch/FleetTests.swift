import Base
import RidesAPI
import Storage
import Testing

@testable import Rides

/// What a node makes of drivers whom other nodes serve too.
@Suite struct FleetTests {
  private let fleet = Fleet(isShared: true)
  private let driver = Identifier(rawValue: 5)
  private let city = Identifier(rawValue: 6)
  private let ride = Identifier(rawValue: 7)
  private let start = RidesWorld.noon

  private func position(_ sequence: Int64) throws -> AcceptedPosition {
    AcceptedPosition(
      sequence: sequence, time: start + .seconds(sequence),
      coordinate: try Coordinate(latitude: 60 + Double(sequence) / 100_000, longitude: 25), accuracyMetres: 5,
      speedMetresPerSecond: nil)
  }

  private func stored(
    _ state: Presence, version: Int64, since: Instant? = nil, onRide: Bool = false, checkpoint: Int64? = nil,
    heardAt: Instant = Instant(nanoseconds: 0), trailEnd: Int64? = nil
  ) throws -> StoredMember {
    StoredMember(
      presence: PresenceRecord(
        driverID: driver, cityID: city, state: state, since: since ?? start, offerID: nil,
        rideID: onRide ? ride : nil, version: version),
      assignment: onRide ? Assignment(ride: ride, epoch: 1) : nil, rideState: onRide ? .assigned : .unspecified,
      rideVersion: onRide ? 3 : 0, checkpoint: try checkpoint.map(position), heardAt: heardAt,
      trailEnd: try trailEnd.map(position))
  }

  private func report(_ sequence: Int64) -> PositionVerdict {
    let reading = PositionReading(
      sequence: sequence, ageMilliseconds: 0, latitude: 60 + Double(sequence) / 100_000, longitude: 25,
      accuracyMetres: 5)
    return fleet.report([reading], by: driver, city: city, now: start + .seconds(sequence))
  }

  private var isIndexed: Bool {
    fleet.snapshot(of: city, heardAfter: start).index.coordinate(of: driver) != nil
  }

  private func isSilent(at instant: Instant) -> Bool {
    fleet.silent(freeSince: instant - .seconds(60), onRideSince: instant - .seconds(300), in: [city]) == [driver]
  }

  @Test func `an older copy of a presence does not replace a newer one`() throws {
    fleet.connect(try stored(.idle, version: 4, checkpoint: 1), now: start)
    #expect(isIndexed)
    fleet.follow(try stored(.offline, version: 3), since: start)
    #expect(fleet.presence(of: driver) == .idle)
    fleet.follow(try stored(.offline, version: 5), since: start)
    #expect(fleet.presence(of: driver) == .offline)
    #expect(!isIndexed)
    let late = DriverReport(driver: driver, presence: .idle, presenceVersion: 4, position: try position(9))
    fleet.take(late, city: city, now: start)
    #expect(fleet.presence(of: driver) == .offline)
  }

  @Test func `a driver who reports elsewhere is followed by reports and by checkpoints`() throws {
    let first = DriverReport(driver: driver, presence: .idle, presenceVersion: 1, position: try position(10))
    fleet.take(first, city: city, now: start)
    #expect(isIndexed)
    #expect(fleet.position(of: driver)?.sequence == 10)
    fleet.follow(try stored(.idle, version: 1, checkpoint: 8), since: start)
    #expect(fleet.position(of: driver)?.sequence == 10)
    fleet.follow(try stored(.idle, version: 1, checkpoint: 12), since: start)
    #expect(fleet.position(of: driver)?.sequence == 12)
    #expect(fleet.here(heardAfter: Instant(nanoseconds: 0)).isEmpty)
    #expect(fleet.takeCheckpoint().isEmpty, "the node that the driver reports to keeps it")
  }

  @Test func `the time of silence begins anew with who judges it, and goes on with what others heard`() throws {
    fleet.follow(try stored(.idle, version: 1, since: start - .seconds(600), heardAt: start), since: start)
    #expect(!isSilent(at: start + .seconds(59)))
    #expect(isSilent(at: start + .seconds(60)))
    // Being offered a ride is no sign of life.
    fleet.follow(try stored(.offered, version: 2, since: start + .seconds(50)), since: start)
    #expect(isSilent(at: start + .seconds(60)))
    fleet.follow(try stored(.idle, version: 3, heardAt: start + .seconds(40)), since: start)
    #expect(!isSilent(at: start + .seconds(99)))
    #expect(isSilent(at: start + .seconds(100)))
    let heard = DriverReport(driver: driver, presence: .idle, presenceVersion: 3, position: nil)
    fleet.take(heard, city: city, now: start + .seconds(100))
    #expect(!isSilent(at: start + .seconds(159)))
    #expect(fleet.silent(freeSince: start + .seconds(900), onRideSince: start, in: []).isEmpty, "for others to judge")
    // Whoever takes the city over listens first.
    fleet.follow(try stored(.idle, version: 3, heardAt: start), since: start + .seconds(1000))
    #expect(!isSilent(at: start + .seconds(1059)))
  }

  @Test func `a driver who comes online counts as heard from before the first checkpoint`() throws {
    fleet.follow(try stored(.idle, version: 1, since: start + .seconds(100)), since: start)
    #expect(!isSilent(at: start + .seconds(159)))
    #expect(isSilent(at: start + .seconds(160)))
  }

  @Test func `on a ride that another node had, positions go on after the last durable point`() throws {
    // The node heard of positions that were never made durable; the phone will send them again.
    let report30 = DriverReport(driver: driver, presence: .idle, presenceVersion: 1, position: try position(30))
    fleet.take(report30, city: city, now: start)
    fleet.connect(try stored(.enRoute, version: 2, onRide: true, checkpoint: 30, trailEnd: 25), now: start)
    #expect(fleet.sequences(of: driver) == (25, 25))
    #expect(report(26).newest?.sequence == 26)
    #expect(report(26).refused.count == 1)
    // What others say of it does not move it any more.
    fleet.follow(try stored(.enRoute, version: 2, onRide: true, checkpoint: 30, trailEnd: 25), since: start)
    #expect(fleet.position(of: driver)?.sequence == 26)
    #expect(fleet.waitingTrails().first?.points.map(\.sequence) == [26])
    // Another session on this node: what waits here is newer than what is stored.
    fleet.connect(try stored(.enRoute, version: 2, onRide: true, checkpoint: 30, trailEnd: 25), now: start)
    #expect(report(27).newest?.sequence == 27)
    #expect(fleet.waitingTrails().first?.points.map(\.sequence) == [26, 27])
  }

  @Test func `a driver who comes back after other nodes goes on where those were`() throws {
    fleet.connect(try stored(.enRoute, version: 2, onRide: true), now: start)
    _ = report(1)
    let batch = try #require(fleet.waitingTrails().first)
    #expect(fleet.noteDurable(batch) == 1)
    fleet.connect(try stored(.enRoute, version: 2, onRide: true, trailEnd: 20), now: start)
    #expect(fleet.sequences(of: driver) == (20, 20))
    // Read before the last points here became durable.
    fleet.connect(try stored(.enRoute, version: 2, onRide: true, trailEnd: 15), now: start)
    #expect(fleet.sequences(of: driver) == (20, 20))
  }

  @Test func `what is of no business of this node is forgotten, what waits to be stored is not`() throws {
    fleet.connect(try stored(.enRoute, version: 2, onRide: true), now: start)
    _ = report(1)
    let later = start + .seconds(1000)
    fleet.forget(unheardSince: later, exceptIn: [])
    #expect(fleet.here(heardAfter: start) == [driver])
    _ = fleet.takeCheckpoint()
    _ = fleet.noteDurable(try #require(fleet.waitingTrails().first))
    fleet.forget(unheardSince: later, exceptIn: [city])
    #expect(fleet.here(heardAfter: start) == [driver])
    fleet.forget(unheardSince: later, exceptIn: [])
    #expect(fleet.here(heardAfter: start).isEmpty)
    #expect(!isIndexed)
  }

  @Test func `a driver without a position is kept in a checkpoint too`() throws {
    fleet.connect(try stored(.offline, version: 0), now: start)
    #expect(fleet.hear(driver, now: start + .seconds(3)))
    let checkpoint = try #require(fleet.takeCheckpoint().first)
    #expect(checkpoint.position == nil)
    #expect(checkpoint.heardAt == start + .seconds(3))
  }
}
