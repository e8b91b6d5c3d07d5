import Base
import DomainKit
import PinboardAPI
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

  fileprivate func offer(_ pieces: Int32, of advert: Advert, ticketTime: Duration? = nil) async throws {
    var request = OfferGiveawayRequest()
    (request.requestID, request.advertID, request.pieces) = (newRequestID(), advert.id, pieces)
    request.ticketTime = ticketTime.map { ProtoDuration($0) }
    _ = try await giveaways.offerGiveaway(request)
  }

  fileprivate func giveaway(of advert: Advert) async throws -> Giveaway {
    var request = GetGiveawayRequest()
    request.advertID = advert.id
    return try await giveaways.getGiveaway(request)
  }

  /// Waits for one.
  fileprivate func ticket(for advert: Advert) async throws -> String {
    var request = JoinGiveawayRequest()
    request.advertID = advert.id
    let stream = giveaways.joinGiveaway(request)
    while let row = try await stream.responses.next() {
      if case .ticket(let ticket) = row.event { return ticket.text }
    }
    return ""
  }

  fileprivate func claim(_ advert: Advert, _ ticket: String) async throws -> Claim {
    var request = ClaimPieceRequest()
    (request.requestID, request.advertID, request.ticket) = (newRequestID(), advert.id, ticket)
    return try await giveaways.claimPiece(request)
  }
}
