import Base
import DomainKit
import ProtobufRuntime
import RidesAPI
import Storage
import Streaming

extension RidesCore {
  /// Lossless: the changes of a ride, as encoded `WatchRideResponse`.
  func rideTopic(_ ride: Identifier) -> Topic { Topic(IDKind.ride, ride) }

  /// Lossless: what a driver is told, as encoded `DriverSessionResponse`.
  func driverTopic(_ driver: Identifier) -> Topic { Topic("driver", driver.text(kind: IDKind.driver)) }

  /// The driver of a `driverTopic`.
  func driver(of topic: Topic) -> Identifier? {
    try? Identifier.parse(String(topic.name.dropFirst(topic.kind.count + 1)), kind: IDKind.driver)
  }

  /// Conflated: where the driver of a ride is.
  func trackTopic(_ ride: Identifier) -> Topic { Topic("track", ride.text(kind: IDKind.ride)) }

  /// The ride of a `trackTopic`.
  func ride(of topic: Topic) -> Identifier? {
    try? Identifier.parse(String(topic.name.dropFirst(topic.kind.count + 1)), kind: IDKind.ride)
  }

  /// Tells all who watch a ride that it changed.
  /// - Returns: what they see, without the PIN.
  @discardableResult
  func publish(_ ride: RideRecord, in writer: any Writer) throws -> Ride {
    let view = try writer.view(of: ride)
    try kit.hub.publish(rideTopic(ride.id), in: writer) { _, token in
      var response = WatchRideResponse()
      response.resumeToken = token
      response.event = .change(view)
      return response.encoded()
    }
    if ride.state.isFinal { try kit.hub.end(rideTopic(ride.id), in: writer) }
    writer.afterCommit { [self] in track(ride) }
    return view
  }

  /// Shows the new state of a ride to those who track it.
  private func track(_ ride: RideRecord) {
    let topic = trackTopic(ride.id)
    guard ride.state.isLive else { return tracks.end(topic) }
    if ride.state.hasDriver, let driver = ride.driverID { fleet.note(ride, drivenBy: driver) }
    tracks.update(topic, trackPoint(of: ride))
  }

  /// Where a ride stands and its driver is, as far as this node has it in memory.
  func trackPoint(of ride: RideRecord) -> TrackPoint {
    let driver = ride.state.hasDriver ? ride.driverID : nil
    return TrackPoint(
      state: ride.state, version: ride.version, driver: driver, position: driver.flatMap { fleet.position(of: $0) })
  }

  /// Tells a driver something that the driver did not ask for.
  func tell(_ driver: Identifier, _ event: DriverSessionResponse.Event, in writer: any Writer) throws {
    var response = DriverSessionResponse()
    response.event = event
    try kit.hub.publish(driverTopic(driver), response.encoded(), in: writer)
  }

  /// Tells a driver where they stand, after a change that no other row tells.
  func tellState(of driver: Identifier, in writer: any Writer) throws {
    try tell(driver, .state(try sessionState(of: driver, in: writer)), in: writer)
  }

  /// Where a driver stands.
  func sessionState(of driver: Identifier, in reader: any Reader) throws -> SessionState {
    var state = SessionState()
    let presence = try reader.presence(of: driver)
    state.presence = presence?.state ?? .offline
    if let id = presence?.offerID, let offer = try reader.offer(id), let ride = try reader.ride(offer.rideID) {
      state.offer = try reader.message(of: offer, ride: ride)
    }
    state.ride = try presence?.rideID.flatMap { try reader.ride($0) }.map { try reader.view(of: $0) }
    let sequences = fleet.sequences(of: driver)
    state.acceptedSequence = sequences.accepted
    state.durableSequence = sequences.durable
    return state
  }
}
