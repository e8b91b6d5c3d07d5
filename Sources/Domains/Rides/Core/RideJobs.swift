import Base
import DomainKit

/// The deferred work of rides. Keys are the rides' ids.
enum RideJobs {
  /// The offers of a ride's epoch expire.
  static let offers = JobKind<RideEpoch>("rides.offers")
  /// The search for a driver has taken too long.
  static let search = JobKind<NoPayload>("rides.search")
  /// The chat of a ride that is over closes.
  static let chat = JobKind<NoPayload>("rides.chat")
}

/// Which of a ride's searches for a driver is meant.
struct RideEpoch: JobPayload {
  let number: Int64

  init(number: Int64) {
    self.number = number
  }

  init(jobBytes: [UInt8]) throws {
    guard let number = Int64(String(decoding: jobBytes, as: UTF8.self)) else { throw Unreadable() }
    self.number = number
  }

  var jobBytes: [UInt8] { Array(String(number).utf8) }

}

/// A job of this domain that this program did not set. It becomes a dead letter.
private struct Unreadable: Error {}

extension RidesCore {
  var declaredJobs: [JobDeclaration] {
    [
      RideJobs.offers.inTransaction { [self] job, writer in
        try expireOffers(of: ride(of: job), epoch: job.payload.number, in: writer)
      },
      RideJobs.search.inTransaction { [self] job, writer in try endSearch(of: ride(of: job), in: writer) },
      RideJobs.chat.inTransaction { [self] job, writer in try closeChat(of: ride(of: job), in: writer) },
    ]
  }

  private func ride(of job: DueJob<some JobPayload>) throws -> Identifier {
    guard let id = job.key.id else { throw Unreadable() }
    return id
  }
}
