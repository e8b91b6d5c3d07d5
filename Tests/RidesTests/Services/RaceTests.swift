import Base
import OctetTypes
import RPC
import Refusals
import RidesAPI
import Storage
import Testing

@testable import Rides

/// Acceptance item 1, with real concurrency: the order is the scheduler's, the choices follow a printed seed.
struct RaceTests {
  static let ridesEachRound = 10
  static let drivers = 50
  static let rounds = 10

  /// What became of an attempt to take an offer.
  private struct Attempt: Sendable {
    let rideID: String
    let refusal: String?
  }

  @Test
  func `100 rides and 50 drivers with accept, cancel and expiry interleaved: invariants hold, losers have reasons`()
    async throws
  {
    let seed = SystemRandomSource().next()
    print("race seed: \(seed)")
    let random = SeededRandomSource(seed: seed)
    var limits = RidesLimits()
    limits.fanOut = 5
    let world = try await RidesWorld(limits: limits)
    let drivers = try await onlineDrivers(world, random)
    var rides: [(rider: TestRider, ride: String)] = []
    var attempts: [Attempt] = []
    for _ in 0..<Self.rounds {
      rides += try await requestedRides(world, random)
      try await world.match()
      let soFar = rides
      async let matched = world.match()
      async let cancelled: Void = cancelSome(soFar, random)
      async let taken = takeOffers(drivers, random)
      attempts += try await taken
      try await cancelled
      _ = try await matched
      // Expiry runs against the accepts and cancels of the next round.
      world.clock.advance(by: .seconds(Int64(random.below(14))))
      async let timers: Void = world.runTimers()
      attempts += try await takeOffers(drivers, random)
      try await timers
      #expect(try await world.violations().isEmpty, "seed \(seed)")
    }
    let reasons = Dictionary(grouping: attempts, by: \.refusal).mapValues(\.count)
    print("race outcomes: \(reasons.map { "\($0.key ?? "ASSIGNED") \($0.value)" }.sorted())")
    let known: Set<String?> = [nil, "OFFER_TAKEN", "OFFER_EXPIRED", "OFFER_WITHDRAWN"]
    #expect(Set(attempts.map(\.refusal)).isSubset(of: known), "seed \(seed)")
    #expect(attempts.contains { $0.refusal == nil }, "seed \(seed)")

    #expect(rides.count == 100)
    for (_, ride) in rides {
      let changes = try await world.changes(of: ride)
      let acknowledged = attempts.filter { $0.rideID == ride && $0.refusal == nil }.count
      #expect(changes.filter { $0.state == .assigned }.count == acknowledged, "seed \(seed)")
      // Nothing follows a cancel, versions are dense, and each assignment has an epoch of its own.
      #expect(changes.dropLast().allSatisfy { !$0.state.isFinal }, "seed \(seed)")
      #expect(changes.map(\.version) == (1...Int64(changes.count)).map { $0 }, "seed \(seed)")
      let epochs = changes.filter { $0.state == .assigned }.map(\.epoch)
      #expect(Set(epochs).count == epochs.count, "seed \(seed)")
    }
  }

  private func scattered(_ random: any RandomSource) -> LatLng {
    place(north: Double(random.below(3000)) - 1500, east: Double(random.below(3000)) - 1500)
  }

  /// Each driver's frames go through one actor: a phone does one thing at a time.
  private func onlineDrivers(_ world: RidesWorld, _ random: any RandomSource) async throws -> [RacingDriver] {
    try await withThrowingTaskGroup(of: RacingDriver.self) { group in
      for _ in 0..<Self.drivers {
        let place = scattered(random)
        group.addTask { try await RacingDriver(world, at: place) }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  private func requestedRides(
    _ world: RidesWorld, _ random: any RandomSource
  ) async throws -> [(rider: TestRider, ride: String)] {
    try await withThrowingTaskGroup(of: (TestRider, String).self) { group in
      for _ in 0..<Self.ridesEachRound {
        let start = scattered(random)
        group.addTask {
          let rider = TestRider(world)
          return (rider, try await rider.requestRide(try await rider.quote(from: start)).id)
        }
      }
      return try await group.reduce(into: []) { $0.append((rider: $1.0, ride: $1.1)) }
    }
  }

  private func cancelSome(_ rides: [(rider: TestRider, ride: String)], _ random: any RandomSource) async throws {
    await withTaskGroup(of: Void.self) { group in
      for (rider, ride) in rides where random.below(6) == 0 {
        group.addTask {
          let refusal = await refusal { try await rider.cancel(ride) }
          // Cancelled before.
          #expect(refusal == nil || refusal == Refusal(.failedPrecondition, "WRONG_STATE"))
        }
      }
    }
  }

  private func takeOffers(_ drivers: [RacingDriver], _ random: any RandomSource) async throws -> [Attempt] {
    try await withThrowingTaskGroup(of: [Attempt].self) { group in
      for driver in drivers {
        let choice = random.below(10)
        group.addTask { try await driver.act(choice).map { Attempt(rideID: $0.0, refusal: $0.1) } }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }
}

/// A driver who accepts, declines, ignores offers and gives rides back.
private actor RacingDriver {
  private let driver: TestDriver

  init(_ world: RidesWorld, at place: LatLng) async throws {
    driver = try await TestDriver.online(world, at: place)
  }

  /// Does one thing with the open offer or the ride, if there is one.
  /// - Returns: the ride and the refusal of each attempt to take one.
  func act(_ choice: UInt64) async throws -> [(String, String?)] {
    // A fresh session shows where the driver stands; positions keep the driver from falling silent.
    let state = try await driver.open()
    if let offer = state.offer {
      switch choice {
      case 0: return []
      case 1:
        let refusal = try await driver.decline(offer).refusalReason
        #expect(refusal == nil || refusal?.hasPrefix("OFFER_") == true)
        return []
      default:
        return [(offer.rideID, try await driver.accept(offer).refusalReason)]
      }
    }
    if let ride = state.ride, choice < 2 {
      var back = GiveBackRide()
      back.rideID = ride.id
      let refusal = try await driver.send(.cancel(back)).refusalReason
      #expect(refusal == nil || refusal == "NOT_FOUND" || refusal == "WRONG_STATE")
    }
    return []
  }
}
