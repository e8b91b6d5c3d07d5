import ChatAPI
import DomainKit
import Storage
import Streaming

/// What a stream has told of what is counted.
struct ToldCounts: Sendable {
  var hearts: Int64
  /// The newest change of polls: `PollRow.Change.place`.
  var change: Int64
}

/// Hearts and answers to polls, which many give at once. They are read when there are new ones and wait nowhere, so nobody is
/// too slow a reader for them, and nothing is told after what is newer.
extension Conversation {
  /// Tells what is counted whenever it has changed.
  func tellCounts(
    _ changes: ConflatingSubscription<ChangeBoard.Mark>, after known: ToldCounts
  ) async throws {
    var told = known
    while true {
      let seen = try await kit.database.read { [told] in try look(after: told, in: $0) }
      told = seen.counts
      if !seen.news.isEmpty {
        try await kit.judgeAgain(context)
        for frame in seen.news { try await frames.send(Self.frame(frame)) }
        try await rooms.pause(rooms.limits.countRest)
      }
      if seen.isAll { _ = try await changes.next() }
    }
  }

  /// What has changed since, how far that goes, and whether that is all.
  private func look(
    after told: ToldCounts, in reader: any Reader
  ) throws -> (news: [ServerFrame.Frame], counts: ToldCounts, isAll: Bool) {
    let row = try confirm(in: reader)
    var (news, counts): ([ServerFrame.Frame], ToldCounts) = ([], told)
    if row.hearts > told.hearts {
      counts.hearts = row.hearts
      var count = HeartCount()
      count.total = row.hearts
      news.append(.hearts(count))
    }
    let changes = try PollRow.changes(after: told.change, in: room, limit: rooms.limits.polls, reader)
    let hidden = try curtain.hidden(Set(changes.map(\.author)), in: reader)
    for change in changes {
      counts.change = change.place
      if !hidden.contains(change.author) { news.append(.poll(change.counts)) }
    }
    return (news, counts, changes.count < rooms.limits.polls)
  }
}
