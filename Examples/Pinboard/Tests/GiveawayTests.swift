import Base
import DomainKit
import PinboardAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Testing
import WellKnownTypes

@testable import Pinboard

@Suite struct GiveawayTests {
  @Test func `a piece goes to whose turn it is, one to each, and never one too many`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let (eve, sofa) = (try await square.user("eve"), try await ada.pin("Blue sofa"))
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.offer(1, of: sofa) }
    for time in [Duration.milliseconds(999), .seconds(3601)] {
      await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await ada.offer(1, of: sofa, ticketTime: time) }
    }
    try await ada.offer(1, of: sofa)
    await expectRefusal(.failedPrecondition, "ALREADY_OFFERED") { try await ada.offer(1, of: sofa) }
    await expectRefusal(.failedPrecondition, "ADMISSION_REQUIRED") { _ = try await bob.claim(sofa, "forged") }

    let tickets = [try await bob.ticket(for: sofa), try await eve.ticket(for: sofa)]
    await expectRefusal(.failedPrecondition, "ADMISSION_REQUIRED") { _ = try await eve.claim(sofa, tickets[0]) }
    let claim = try await bob.claim(sofa, tickets[0])
    #expect(claim.id.hasPrefix("claim_") && claim.advertID == sofa.id)
    await expectRefusal(.failedPrecondition, "ALL_GIVEN") { _ = try await eve.claim(sofa, tickets[1]) }
    await expectRefusal(.failedPrecondition, "ADMISSION_REQUIRED") { _ = try await bob.claim(sofa, tickets[0]) }
    let giveaway = try await eve.giveaway(of: sofa)
    #expect(giveaway.given == 1 && giveaway.pieces == 1 && giveaway.admitted == 2 && giveaway.secret.count == 32)
    #expect(try await square.pinboard.checkInvariants().map(\.violations) == [[], []])
    await square.close()
  }

  @Test func `nobody queues for what is hidden, or has come down`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let sofa = try await ada.pin("Blue sofa")
    try await ada.offer(3, of: sofa)
    try await ada.hide(sofa)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.giveaway(of: sofa) }
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.ticket(for: sofa) }
    try await ada.hide(sofa, false)
    let ticket = try await bob.ticket(for: sofa)
    try await ada.remove(sofa)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.claim(sofa, ticket) }
    await square.close()
  }

  @Test func `no queue stays open on an advert that comes down while something is offered on it`() async throws {
    let square = try await Square()
    let ada = try await square.user("ada")
    let sofa = try await ada.pin("Blue sofa")
    let id = try Identifier.parse(sofa.id, kind: AdvertRow.idKind)
    let (giveaways, plan) = (square.pinboard.board.giveaways, QueuePlan(opensAt: square.clock.now()))
    let (isOffered, isDown, runs) = (ParkingSpot(), Locked(false), Locked(0))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await square.database.write { writer in
          _ = try giveaways.offer(1, on: id, of: ada.id, plan, in: writer)
          // Each body runs twice here, and of the first run nothing stays.
          let isToStay = runs.withLock { runs in
            runs += 1
            return runs > 1
          }
          guard writer.dialect == .postgreSQL else { return isOffered.unpark() }
          guard isToStay else { return }
          isOffered.unpark()
          try writer.waitUntilWaitedFor { isDown.withLock { $0 } }
        }
      }
      group.addTask {
        defer { isDown.withLock { $0 = true } }
        try await isOffered.park(atMost: .seconds(600))
        try await ada.remove(sofa)
      }
      try await group.waitForAll()
    }
    let event = try await square.database.read { reader in
      try GiveawayRow.find(id, in: reader).flatMap { try giveaways.queue.event($0.event, in: reader) }
    }
    #expect(event?.isClosed == true)
    await square.close()
  }

  @Test func `nothing is offered on what moderators have removed, nor at an instant that nobody can tell`() async throws
  {
    let square = try await Square()
    let ada = try await square.user("ada")
    let sofa = try await ada.pin("Blue sofa")
    let (id, kind) = (try Identifier.parse(sofa.id, kind: AdvertRow.idKind), AdvertKind(board: square.pinboard.board))
    var late = Timestamp()
    late.seconds = 10_413_792_000
    #expect(await badFields { try await ada.offer(1, of: sofa, at: late) } == ["open_time"])
    func moderate(_ measure: ModerationMeasure) async throws -> Instant? {
      try await square.database.write { writer in
        _ = try kind.moderate(id, measure, in: writer)
        return try AdvertRow.find(id, in: writer)?.removedAt
      }
    }
    let removedAt = try await moderate(.remove)
    #expect(removedAt == square.clock.now())
    square.clock.advance(by: .seconds(1))
    // A repeat changes nothing.
    #expect(try await moderate(.remove) == removedAt)
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.offer(1, of: sofa) }
    #expect(try await moderate(.restore) == nil)
    try await ada.offer(1, of: sofa)
    await square.close()
  }

  @Test func `who is erased is named by no claim, however many there are`() async throws {
    let square = try await Square()
    let (ada, records) = (try await square.user("ada"), try #require(square.pinboard.personalRecords))
    let claims = 2 * PinboardRecords.rowsAtOnce + 1
    try await square.database.write { writer in
      for number in 0..<claims {
        try writer.execute(
          "INSERT INTO pinboard_claims (advert_id, id, user_id, created_at) VALUES ($1, $2, $3, 0)",
          Identifier(rawValue: Int64(claims - number)), Identifier(rawValue: Int64(number)), ada.id)
      }
    }
    let named = "SELECT COUNT(*) FROM pinboard_claims WHERE user_id = $1"
    var left: [Int64] = []
    while try await square.database.write({ try records.erase(ada.id, in: $0) }) {
      left.append(try await square.database.read { try $0.first(named, ada.id) { $0[0] } } ?? -1)
    }
    #expect(left == [Int64(claims - PinboardRecords.rowsAtOnce), 1, 0])
    await square.close()
  }

  @Test func `invariant 2: what was given is what was taken`() async throws {
    let square = try await Square()
    let ada = try await square.user("ada")
    let sofa = try await ada.pin("Blue sofa")
    try await ada.offer(3, of: sofa)
    _ = try await ada.claim(sofa, try await ada.ticket(for: sofa))
    #expect(try await square.pinboard.checkInvariants().allSatisfy { $0.holds && $0.rowsChecked == 1 })
    try await square.database.write { _ = try $0.execute("DELETE FROM pinboard_claims") }
    #expect(try await square.pinboard.checkInvariants().map(\.violations) == [[], [sofa.id]])
    await square.close()
  }
}

extension Passer {
  private var giveaways: GiveawayServiceClient { GiveawayServiceClient(channel) }

  func offer(
    _ pieces: Int32, of advert: Advert, at opening: Timestamp? = nil, ticketTime: Duration? = nil
  ) async throws {
    var request = OfferGiveawayRequest()
    (request.requestID, request.advertID, request.pieces) = (newRequestID(), advert.id, pieces)
    (request.openTime, request.ticketTime) = (opening, ticketTime.map { ProtoDuration($0) })
    _ = try await giveaways.offerGiveaway(request)
  }

  func giveaway(of advert: Advert) async throws -> Giveaway {
    var request = GetGiveawayRequest()
    request.advertID = advert.id
    return try await giveaways.getGiveaway(request)
  }

  /// Waits for one.
  func ticket(for advert: Advert) async throws -> String {
    var request = JoinGiveawayRequest()
    request.advertID = advert.id
    let stream = giveaways.joinGiveaway(request)
    while let row = try await stream.responses.next() {
      if case .ticket(let ticket) = row.event { return ticket.text }
    }
    return ""
  }

  func claim(_ advert: Advert, _ ticket: String) async throws -> Claim {
    var request = ClaimPieceRequest()
    (request.requestID, request.advertID, request.ticket) = (newRequestID(), advert.id, ticket)
    return try await giveaways.claimPiece(request)
  }
}
