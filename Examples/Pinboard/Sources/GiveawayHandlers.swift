import Base
import DomainKit
import PinboardAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// octet.pinboard.v1.GiveawayService.
struct GiveawayHandlers: GiveawayService {
  let giveaways: Giveaways

  private var kit: Kit { giveaways.kit }

  func offerGiveaway(_ request: OfferGiveawayRequest, context: ServerContext) async throws -> Giveaway {
    let owner = try context.requireCaller().user
    let advert = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    let plan = try QueuePlan(request, now: kit.clock.now())
    return try await kit.mutate(request, context) { [giveaways] writer in
      let row = try giveaways.offer(Int64(request.pieces), on: advert, of: owner, plan, in: writer)
      return try Giveaway(row, giveaways.queue, in: writer)
    }
  }

  func getGiveaway(_ request: GetGiveawayRequest, context: ServerContext) async throws -> Giveaway {
    let caller = try context.requireCaller()
    let advert = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    return try await kit.database.read { [giveaways] reader in
      try Giveaway(try giveaways.visible(on: advert, to: caller, in: reader), giveaways.queue, in: reader)
    }
  }

  func joinGiveaway(
    _ request: JoinGiveawayRequest, responses: ResponseWriter<JoinGiveawayResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let advert = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    let (kit, giveaways) = (kit, giveaways)
    let place = try await kit.database.write { writer in
      let row = try giveaways.visible(on: advert, to: caller, in: writer)
      return try giveaways.queue.join(row.event, as: caller.user, in: writer)
    }
    let heart = Heart(kit, context, responses.sink) { JoinGiveawayResponse() }
    heart.start()
    defer { heart.stop() }
    try await giveaways.queue.follow(place) { update in
      try await kit.judgeAgain(context)
      // It may have become hidden since.
      _ = try await kit.database.read { try giveaways.visible(on: advert, to: caller, in: $0) }
      try await responses.write(JoinGiveawayResponse(update))
      heart.wasHeard()
    }
  }

  func leaveGiveaway(_ request: LeaveGiveawayRequest, context: ServerContext) async throws -> LeaveGiveawayResponse {
    let caller = try context.requireCaller()
    let advert = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    return try await kit.mutate(request, context) { [giveaways] writer in
      let row = try giveaways.visible(on: advert, to: caller, in: writer)
      try giveaways.queue.leave(row.event, as: caller.user, in: writer)
      return LeaveGiveawayResponse()
    }
  }

  func claimPiece(_ request: ClaimPieceRequest, context: ServerContext) async throws -> Claim {
    let caller = try context.requireCaller()
    let advert = try Identifier(request.advertID, kind: AdvertRow.idKind, field: "advert_id")
    let region = try await kit.database.read { [people = giveaways.parts.people] reader in
      try people.preferences(of: caller.user, in: reader).region
    }
    if giveaways.parts.flags.value(of: Giveaways.puzzles, for: FlagSubject(caller, region: region)) {
      try await giveaways.parts.challenges.require(of: context, for: request)
    }
    return try await kit.mutate(request, context) { [giveaways] writer in
      let (id, instant) = try giveaways.claim(request.ticket, on: advert, by: caller, in: writer)
      return Claim(id, on: advert, at: instant)
    }
  }
}

extension QueuePlan {
  fileprivate init(_ request: OfferGiveawayRequest, now: Instant) throws {
    let rate = request.perSecond == 0 ? Giveaways.rate : Int64(request.perSecond)
    let opensAt = try request.openTime.map { try Instant($0, field: "open_time") } ?? now
    self.init(opensAt: opensAt, ratePerSecond: rate, burst: rate)
    if request.places > 0 { cap = Int64(request.places) }
    guard let time = request.ticketTime else { return }
    guard let ticketTime = Duration(time), Giveaways.ticketTimes.contains(ticketTime) else {
      throw KitError.invalid(FieldViolation(field: "ticket_time", description: "from 1 second to an hour"))
    }
    self.ticketTime = ticketTime
  }
}

extension Claim {
  init(_ id: Identifier, on advert: Identifier, at instant: Instant) {
    self.init()
    self.id = id.text(kind: Giveaways.claimKind)
    advertID = advert.text(kind: AdvertRow.idKind)
    createTime = Timestamp(instant)
  }
}

extension Giveaway {
  init(_ row: GiveawayRow, _ queue: any Queue, in reader: any Reader) throws {
    guard let event = try queue.event(row.event, in: reader) else { throw KitError.notFound("queue") }
    self.init()
    advertID = row.advert.text(kind: AdvertRow.idKind)
    openTime = Timestamp(event.opensAt)
    (pieces, given) = (row.pieces, row.given)
    (waiting, admitted) = (event.waiting, event.admitted)
    (secretHash, secret) = (event.secretHash, event.secret ?? [])
  }
}

extension JoinGiveawayResponse {
  init(_ update: QueueUpdate) {
    self.init()
    switch update {
    case .lobby(let opensAt, let count):
      var lobby = Lobby()
      (lobby.openTime, lobby.waiting) = (Timestamp(opensAt), count)
      event = .lobby(lobby)
    case .waiting(let place, let wait):
      var waiting = Waiting()
      (waiting.place, waiting.wait) = (place, ProtoDuration(wait))
      event = .waiting(waiting)
    case .admitted(let admission):
      var ticket = Ticket()
      (ticket.text, ticket.expireTime) = (admission.text, Timestamp(admission.expiresAt))
      event = .ticket(ticket)
    case .ended(let reason): event = .end(PinboardAPI.QueueEnd(reason))
    }
  }
}

extension PinboardAPI.QueueEnd {
  init(_ reason: DomainKit.QueueEnd) {
    switch reason {
    case .left: self = .left
    case .abandoned: self = .abandoned
    case .spent: self = .spent
    case .expired: self = .expired
    case .closed: self = .closed
    }
  }
}
