import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI
import Storage

/// `RideService`: each method reads its request, and leaves the rest to the core.
struct RideHandlers: RideService {
  let core: RidesCore

  private static let ride = "ride_id"

  private func rideID(_ text: String) throws -> Identifier {
    try Identifier(text, kind: IDKind.ride, field: Self.ride)
  }

  func requestRide(_ request: RequestRideRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    // The PIN is not stored with the reply, but worked out again for each repeat.
    let reveal: @Sendable (inout Ride, any Writer) -> Void = { [core] ride, _ in core.reveal(&ride, to: user) }
    return try await core.kit.mutate(request, context, complete: reveal) { [core] writer in
      try core.requestRide(request, by: user, in: writer)
    }
  }

  func getRide(_ request: GetRideRequest, context: ServerContext) async throws -> Ride {
    let caller = try context.requireCaller()
    let id = try rideID(request.rideID)
    let roles = context.method.policy.roles
    var ride = try await core.kit.database.read { [core] reader in
      try reader.view(of: try core.visibleRide(id, to: caller, roles: roles, in: reader))
    }
    core.reveal(&ride, to: caller.user)
    return ride
  }

  func listRides(_ request: ListRidesRequest, context: ServerContext) async throws -> ListRidesResponse {
    let user = try context.requireCaller().user
    let page = try core.kit.page(request, context)
    var response = try await core.kit.database.read { reader in
      let rows: [RideRecord]
      if request.side == .driver {
        let driver = try reader.driver(ofUser: user)
        rows =
          try driver.map {
            try reader.rides(asDriver: $0.id, state: request.state, before: page.before, limit: page.fetch)
          } ?? []
      } else {
        rows = try reader.rides(asRider: user, state: request.state, before: page.before, limit: page.fetch)
      }
      let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
      var response = ListRidesResponse()
      response.rides = try items.map { try reader.view(of: $0) }
      response.nextPageToken = next
      return response
    }
    for index in response.rides.indices { core.reveal(&response.rides[index], to: user) }
    return response
  }

  func rideChat(
    _ requests: RequestReader<RideChatRequest>, responses: ResponseWriter<RideChatResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    guard let first = try await requests.next(), let frame = first.frame else { return }
    let id = try rideID(first.rideID)
    let roles = context.method.policy.roles
    let (room, isParty) = try await core.kit.database.read { [core] reader in
      let ride = try core.visibleRide(id, to: caller, roles: roles, in: reader)
      return (try core.openRoom(of: ride, in: reader), try core.side(of: caller.user, on: ride, in: reader) != nil)
    }
    let frames = ChatFrames(requests, responses) { request in
      guard let frame = request.frame else {
        throw KitError.invalid(FieldViolation(field: "frame", description: "required"))
      }
      return frame
    } wrap: { frame in
      var response = RideChatResponse()
      response.frame = frame
      return response
    }
    try await core.rooms.converse(
      in: room, access: isParty ? .member : .visitor, first: frame, over: frames, context)
  }

  func quoteCancelFee(
    _ request: QuoteCancelFeeRequest, context: ServerContext
  ) async throws -> QuoteCancelFeeResponse {
    let caller = try context.requireCaller()
    let id = try rideID(request.rideID)
    return try await core.kit.database.read { [core] reader in
      let (ride, canceller) = try core.cancelling(reader.ride(id), by: caller.user, in: reader)
      let fee = try core.cancelFee(of: ride, for: canceller, in: reader)
      var response = QuoteCancelFeeResponse()
      response.fee = .init(minor: fee.total, of: ride.currency)
      if canceller == .rider, fee.total == 0, let assignedAt = ride.assignedAt,
        core.now - assignedAt <= core.limits.freeCancelTime
      {
        response.freeUntil = .init(assignedAt + core.limits.freeCancelTime)
      }
      return response
    }
  }

  func cancelRide(_ request: CancelRideRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    let id = try rideID(request.rideID)
    return try await core.kit.mutate(request, context) { [core] writer in
      try core.cancel(id, by: user, expectedFee: request.expectedFee, note: request.note, in: writer)
    }
  }

  func markArrived(_ request: MarkArrivedRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    let id = try rideID(request.rideID)
    try await core.gatherArrival(id, by: user)
    return try await core.kit.mutate(request, context) { [core] writer in
      try core.markArrived(id, by: user, in: writer)
    }
  }

  func startRide(_ request: StartRideRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    let id = try rideID(request.rideID)
    try await core.judgePIN(request.pin, ofRide: id, by: user)
    return try await core.kit.mutate(request, context) { [core] writer in
      try core.start(id, pin: request.pin, by: user, in: writer)
    }
  }

  func completeRide(_ request: CompleteRideRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    let id = try rideID(request.rideID)
    // The meter reads the durable trail, so what is still in memory goes there first.
    if let driver = try await core.kit.database.read({ try $0.driver(ofUser: user) }) {
      try await core.flushTrails(of: driver.id)
      try await core.flushTrailElsewhere(of: driver.id)
    }
    return try await core.kit.mutate(request, context) { [core] writer in
      try core.complete(id, by: user, in: writer)
    }
  }

  func confirmCash(_ request: ConfirmCashRequest, context: ServerContext) async throws -> Ride {
    let user = try context.requireCaller().user
    let id = try rideID(request.rideID)
    guard let received = request.received else {
      throw KitError.invalid(.init(field: "received", description: "required"))
    }
    return try await core.kit.mutate(request, context) { [core] writer in
      try core.confirmCash(id, received: received, by: user, in: writer)
    }
  }

  func getReceipt(_ request: GetReceiptRequest, context: ServerContext) async throws -> Receipt {
    try await withVisibleRide(request.rideID, context) { reader, ride in
      guard let receipt = ride.receipt else { throw RidesError.wrongState(ride.state) }
      return try Receipt(decoding: receipt)
    }
  }

  func recomputeFare(_ request: RecomputeFareRequest, context: ServerContext) async throws -> Receipt {
    try await withVisibleRide(request.rideID, context) { reader, ride in try reader.recomputedReceipt(of: ride) }
  }

  private func withVisibleRide(
    _ text: String, _ context: ServerContext, _ body: @escaping @Sendable (any Reader, RideRecord) throws -> Receipt
  ) async throws -> Receipt {
    let caller = try context.requireCaller()
    let id = try rideID(text)
    let roles = context.method.policy.roles
    return try await core.kit.database.read { [core] reader in
      try body(reader, try core.visibleRide(id, to: caller, roles: roles, in: reader))
    }
  }
}
