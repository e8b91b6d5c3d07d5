import ChatAPI
import DomainKit
import Foundation
import WellKnownTypes

/// Hearts and polls.
extension Guest {
  /// Does something beside talking.
  /// - Returns: the number that the answer has, or why it is refused.
  func does(_ deed: ClientFrame.Frame) async throws -> String {
    try await send(deed)
    switch try await answer() {
    case .postAccepted(let accepted): return String(accepted.number)
    case .postRefused(let refused): return refused.reason
    default: throw Unexpected()
    }
  }

  func hearts(_ count: Int32, requestID: String = UUID().uuidString) async throws -> String {
    var hearts = Hearts()
    (hearts.requestID, hearts.count) = (requestID, count)
    return try await does(.hearts(hearts))
  }

  func startPoll(_ question: String, _ options: [String], lasting: Duration? = nil) async throws -> String {
    var poll = StartPoll()
    (poll.requestID, poll.question, poll.options) = (UUID().uuidString, question, options)
    poll.lasting = lasting.map { ProtoDuration($0) }
    return try await does(.startPoll(poll))
  }

  func vote(_ option: Int32, in number: Int64, requestID: String = UUID().uuidString) async throws -> String {
    var vote = Vote()
    (vote.requestID, vote.number, vote.option) = (requestID, number, option)
    return try await does(.vote(vote))
  }

  func closePoll(_ number: Int64) async throws -> String {
    var end = ClosePoll()
    (end.requestID, end.number) = (UUID().uuidString, number)
    return try await does(.closePoll(end))
  }

  /// The next count of hearts, past all else.
  func heartTotal() async throws -> Int64 {
    while let frame = try await next()?.frame {
      if case .hearts(let count) = frame { return count.total }
    }
    throw Unexpected()
  }

  /// Waits for counts of a poll.
  func counts(until wanted: (PollCounts) -> Bool) async throws -> PollCounts {
    while let frame = try await next()?.frame {
      if case .poll(let counts) = frame, wanted(counts) { return counts }
    }
    throw Unexpected()
  }
}
