import Base
import DomainKit
import ProtobufRuntime
import RPC
import RidesAPI
import Storage
import Streaming
import WellKnownTypes

extension DriverHandlers {
  func driverSession(
    _ requests: RequestReader<DriverSessionRequest>, responses: ResponseWriter<DriverSessionResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let driver = try await core.kit.database.read { [core] in try core.requireDriver(caller.user, in: $0) }
    let session = WorkingSession(
      core: core, caller: caller, driver: driver, id: try await core.beginSession(of: driver.id), responses: responses,
      context: context)
    do {
      try await session.run(requests)
    } catch let error as TopicError {
      throw KitError(error)
    }
  }
}

/// One driver's session: frames in, and beside them what the server says on its own.
private struct WorkingSession: Sendable {
  let core: RidesCore
  let caller: Caller
  let driver: DriverRecord
  let id: Identifier
  let responses: ResponseWriter<DriverSessionResponse>
  let context: ServerContext

  func run(_ requests: RequestReader<DriverSessionRequest>) async throws {
    let topic = core.driverTopic(driver.id)
    try await core.welcome(driver)
    let newest = core.sessions.subscribe(topic)
    core.sessions.publish(topic, id)
    defer { forgetTopics(topic) }
    let durable = core.durables.subscribe(topic)
    let wishes = core.wishes.subscribe(topic)
    let (state, _, events) = try await core.kit.hub.watch(topic) { [core, driver] reader in
      try core.sessionState(of: driver.id, in: reader)
    }
    let heart = Heart(core.kit, context, responses.sink) { DriverSessionResponse() }
    defer { heart.stop() }
    try await say(.state(state))
    heart.start()
    // Whichever ends first ends the session.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await answerFrames(requests) }
      group.addTask { try await tellEvents(events, heart) }
      group.addTask { try await tellDurable(topic, durable) }
      group.addTask { try await waitForNewer(topic, newest) }
      group.addTask { try await grant(wishes, topic) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func answerFrames(_ requests: RequestReader<DriverSessionRequest>) async throws {
    while let frame = try await requests.next() {
      try await core.kit.judgeAgain(context)
      try await core.meet(driver)
      try await responses.write(try await answer(frame))
    }
  }

  private func tellEvents(_ events: TopicSubscription, _ heart: Heart<DriverSessionResponse>) async throws {
    while true {
      let event = try await events.next()
      try await core.kit.judgeAgain(context)
      var response = try DriverSessionResponse(decoding: event.payload)
      // It may be of a change that another node has made, which does not know the positions.
      if core.owner != nil { try await core.follow([driver.id]) }
      if case .state(var state) = response.event {
        (state.acceptedSequence, state.durableSequence) = core.fleet.sequences(of: driver.id)
        response.event = .state(state)
      }
      try await responses.write(response)
      heart.wasHeard()
    }
  }

  private func tellDurable(_ topic: Topic, _ first: ConflatingSubscription<Int64>) async throws {
    var durable = first
    while true {
      while try await durable.next() != nil {
        try await say(.ack(ack(core.fleet.presence(of: driver.id))))
      }
      durable = core.durables.subscribe(topic)
    }
  }

  private func waitForNewer(_ topic: Topic, _ first: ConflatingSubscription<Identifier>) async throws {
    var newest = first
    while true {
      while let session = try await newest.next() {
        if session > id { throw RidesError.sessionReplaced }
      }
      newest = core.sessions.subscribe(topic)
    }
  }

  /// Makes the trail durable when another node says that it waits for that.
  private func grant(_ first: ConflatingSubscription<Int64>, _ topic: Topic) async throws {
    var wishes = first
    while true {
      while try await wishes.next() != nil {
        // What fails now is done with the next look at what is stored.
        try? await core.answerWishes(forTrailOf: driver.id)
      }
      wishes = core.wishes.subscribe(topic)
    }
  }

  /// The last session of a driver takes the topics with it, so that they do not gather in memory. One that has begun in
  /// this moment finds its subscriptions ended, and subscribes again.
  private func forgetTopics(_ topic: Topic) {
    // In one step: the topic of one that begins now is its own.
    if core.sessions.end(topic, ifNewest: { $0 == id }) { core.durables.end(topic) }
  }

  private func say(_ event: DriverSessionResponse.Event) async throws {
    var response = DriverSessionResponse()
    response.event = event
    try await responses.write(response)
  }

  // MARK: Frames

  /// The row that answers a frame. Only what ends the session is thrown.
  private func answer(_ frame: DriverSessionRequest) async throws -> DriverSessionResponse {
    do {
      return try await perform(frame)
    } catch let error as KitError where error == .sessionEnded || error == .accountSuspended {
      throw error
    } catch let error as any DomainError {
      var response = DriverSessionResponse()
      response.requestID = frame.requestID
      response.event = .refusal(SessionRefusal(error.mapping))
      return response
    }
  }

  private func perform(_ frame: DriverSessionRequest) async throws -> DriverSessionResponse {
    let user = caller.user
    switch frame.frame {
    case .positions(let report): return try await take(report, frame.requestID)
    case .goOnline:
      return try await decide(frame, keeping: .retention) { [core, driver] writer in
        // As it is now: a suspension or an expired document counts at once.
        guard let driver = try writer.driver(driver.id) else { throw KitError.notFound("driver") }
        try core.goOnline(driver, in: writer)
        return nil
      }
    case .goOffline:
      return try await decide(frame, keeping: .retention) { [core, driver] writer in
        try core.goOffline(driver.id, in: writer)
        return nil
      }
    case .accept(let accept):
      let offer = try Identifier(accept.offerID, kind: IDKind.offer, field: "accept.offer_id")
      return try await decide(frame) { [core, driver] in try core.accept(offer, by: driver.id, in: $0) }
    case .decline(let decline):
      let offer = try Identifier(decline.offerID, kind: IDKind.offer, field: "decline.offer_id")
      return try await decide(frame, keeping: .retention) { [core, driver] writer in
        try core.decline(offer, by: driver.id, in: writer)
        return nil
      }
    case .arrived(let arrived):
      let ride = try Identifier(arrived.rideID, kind: IDKind.ride, field: "arrived.ride_id")
      return try await decide(frame) { [core] in try core.markArrived(ride, by: user, in: $0) }
    case .cancel(let cancel):
      let ride = try Identifier(cancel.rideID, kind: IDKind.ride, field: "cancel.ride_id")
      return try await decide(frame) { [core] writer in
        let held = try core.rideForUpdate(ride, drivenBy: user, in: writer)
        return try core.giveBack(held, note: cancel.note, in: writer)
      }
    case nil: throw RidesError.emptyFrame
    }
  }

  /// Runs a decision like any mutating call: a repeated frame gets the first answer again.
  /// - Parameter keeping: a week at least is enough where nothing is booked, and nobody pays: drivers decline all day long, and
  ///   offers live for seconds.
  private func decide(
    _ frame: DriverSessionRequest, keeping: RequestKeeping? = nil,
    _ body: @escaping @Sendable (any Writer) throws -> Ride?
  ) async throws -> DriverSessionResponse {
    try await core.kit.mutate(frame, context, keeping: keeping) { writer in
      var ack = SessionAck()
      ack.ride = try body(writer)
      ack.presence = try writer.presence(of: driver.id)?.state ?? .offline
      let sequences = core.fleet.sequences(of: driver.id)
      ack.acceptedSequence = sequences.accepted
      ack.durableSequence = sequences.durable
      var response = DriverSessionResponse()
      response.requestID = frame.requestID
      response.event = .ack(ack)
      return response
    }
  }

  private func take(_ report: ReportPositions, _ requestID: String) async throws -> DriverSessionResponse {
    let readings = report.positions.map { position in
      PositionReading(
        sequence: position.sequence, ageMilliseconds: position.ageMs, latitude: position.latitude,
        longitude: position.longitude, accuracyMetres: position.accuracyM, speedMetresPerSecond: position.speedMps)
    }
    let verdict = try await core.report(readings, by: driver)
    var ack = SessionAck()
    ack.presence = verdict.presence
    ack.acceptedSequence = verdict.acceptedSequence
    ack.durableSequence = verdict.durableSequence
    ack.refused = verdict.refused.map { sequence, error in
      var refused = RefusedPosition()
      refused.sequence = sequence
      refused.reason = error.mapping.reason
      refused.message = error.mapping.message
      return refused
    }
    var response = DriverSessionResponse()
    response.requestID = requestID
    response.event = .ack(ack)
    return response
  }

  private func ack(_ presence: Presence) -> SessionAck {
    var ack = SessionAck()
    ack.presence = presence
    let sequences = core.fleet.sequences(of: driver.id)
    ack.acceptedSequence = sequences.accepted
    ack.durableSequence = sequences.durable
    return ack
  }
}

extension SessionRefusal {
  fileprivate init(_ mapping: ErrorMapping) {
    self.init()
    code = Int32(mapping.code.rawValue)
    reason = mapping.reason
    message = mapping.message
    retryAfter = mapping.retryAfter.map { ProtoDuration($0) }
  }
}
