import Base
import DomainKit
import RidesAPI
import Storage

/// What riders are told when they do not look.
enum RideNotices {
  static let assigned = NoticeKind(
    "rides.driver_assigned", ways: [.push], values: ["driver": .name],
    words: ["en": NoticeWords("A driver is on the way", "{driver} comes to the pickup.")])
  static let arrived = NoticeKind(
    "rides.driver_arrived", ways: [.push], values: ["driver": .name],
    words: ["en": NoticeWords("Your driver is here", "{driver} waits at the pickup.")])
  static let driverLeft = NoticeKind(
    "rides.driver_left", ways: [.push],
    words: ["en": NoticeWords("Your driver cannot come", "We are looking for another one.")])
  static let cancelled = NoticeKind(
    "rides.cancelled_by_driver", ways: [.push, .mail],
    words: ["en": NoticeWords("Your ride was cancelled", "The driver waited at the pickup, and has left.")])

  static let all = [assigned, arrived, driverLeft, cancelled]
}

extension RidesCore {
  /// Tells the rider what happened to a ride, once in each of its epochs.
  func tellRider(
    of ride: RideRecord, _ kind: NoticeKind, _ values: [String: NoticeValue] = [:], in writer: any Writer
  ) throws {
    let subject = SubjectID(IDKind.ride, ride.id)
    let notice = Notice(kind, key: "\(subject.text)/\(kind.name)/\(ride.epoch)", about: subject, values)
    try notices.notify(ride.riderID, notice, in: writer)
  }

  /// The same about the driver as the rider sees him or her.
  func tellRiderOfDriver(of ride: RideRecord, _ kind: NoticeKind, in writer: any Writer) throws {
    guard let id = ride.driverID, let driver = try writer.driver(id) else {
      preconditionFailure("a ride that is driven has a driver")
    }
    try tellRider(of: ride, kind, ["driver": .name(driver.displayName, of: driver.userID)], in: writer)
  }
}
