import Base
import DomainKit
import RidesAPI
import Storage

extension RidesCore {
  /// Opens the chat of a ride that has a driver, or lets the new driver into the one there is.
  func openChat(of ride: RideRecord, in writer: any Writer) throws {
    let subject = ride.id.text(kind: IDKind.ride)
    guard let id = ride.driverID, let driver = try writer.driver(id) else { return }
    let members = [ride.riderID, driver.userID]
    let room = try rooms.open(RoomPlan(.ride, about: subject, members: members), in: writer)
    // Who drove before has no business in it any more.
    try rooms.setMembers(room, to: members, in: writer)
  }

  /// The driver gave the ride back: only the rider stays.
  func leaveChat(of ride: RideRecord, in writer: any Writer) throws {
    let subject = ride.id.text(kind: IDKind.ride)
    guard let room = try rooms.room(.ride, about: subject, in: writer), !room.isClosed else { return }
    try rooms.setMembers(room.id, to: [ride.riderID], in: writer)
  }

  /// The chat of a ride that is over closes after a while. A ride without a driver has one too if it had a driver once.
  func closeChatLater(_ ride: RideRecord, in writer: any Writer) throws {
    let subject = ride.id.text(kind: IDKind.ride)
    guard let room = try rooms.room(.ride, about: subject, in: writer), !room.isClosed else { return }
    try jobs.set(RideJobs.chat, JobKey(ride.id), due: now + limits.chatAfterRide, in: writer)
  }

  /// Closes the chat of a ride. For the timer.
  func closeChat(of ride: Identifier, in writer: any Writer) throws {
    let subject = ride.text(kind: IDKind.ride)
    guard let room = try rooms.room(.ride, about: subject, in: writer), !room.isClosed else { return }
    try rooms.close(room.id, in: writer)
  }

  /// The room of a ride's chat.
  /// - Throws: `RidesError.wrongState` before a driver was assigned, and 30 minutes after the ride.
  func openRoom(of ride: RideRecord, in reader: any Reader) throws -> Identifier {
    let isOver = ride.endedAt.map { now - $0 >= limits.chatAfterRide } ?? false
    guard !isOver, let room = try rooms.room(.ride, about: ride.id.text(kind: IDKind.ride), in: reader), !room.isClosed
    else { throw RidesError.wrongState(ride.state) }
    return room.id
  }
}
