import Base
import DomainKit
import Storage

/// Builds a new index beside the one that is searched: things are put in by parts, while changes go into both; the new
/// one is searched from the commit on in which it is whole.
struct Rebuild: Sendable {
  let core: SearchCore
  let timers: Timers

  private static let timer = "search.rebuild"
  /// Things of a transaction, which takes some 20 ms.
  static let atOnce = 256
  /// With more small segments an index answers slowly: it waits until the upkeep has merged them.
  private static let segmentLimit = 64
  /// Between two looks at how many there are.
  private static let mergingPause = Duration.seconds(1)

  /// - Returns: nil if one is being built already.
  func begin(in writer: any Writer) throws -> Int64? {
    try writer.lock(Generation.lock, .exclusive)
    if try Generation.all(in: writer).contains(where: { $0.state == .building }) { return nil }
    // Kinds that another version of the server knows are its own to add again.
    let number = try Generation.begin(kinds: core.prefixes, now: core.kit.clock.now(), in: writer)
    try timers.set(Self.timer, key: String(number), due: core.kit.clock.now(), in: writer)
    return number
  }

  /// Begins one if this server has kinds that the index was built without.
  func beginIfNeeded() async throws {
    let database = core.kit.database
    let lacks: @Sendable (any Reader) throws -> Bool = { [core] reader in
      let all = try Generation.all(in: reader)
      return !all.contains { $0.state == .building }
        && all.contains { generation in
          generation.state == .live && !core.prefixes.isSubset(of: generation.kinds)
        }
    }
    guard try await database.read(lacks) else { return }
    try await database.write { writer in if try lacks(writer) { _ = try begin(in: writer) } }
  }

  func handle() {
    var policy = RetryPolicy()
    // Each part is a transaction of its own; only a database that fails makes one fail.
    policy.attempts = .max
    timers.handle(Self.timer, policy: policy, atOnce: 1) { [self] writer, timer in
      guard let number = Int64(timer.key) else { return }
      if let pause = try goOn(number, in: writer) {
        try timers.set(Self.timer, key: timer.key, due: core.kit.clock.now() + pause, in: writer)
      }
    }
  }

  /// - Returns: after what time there is more to do; nil: there is nothing.
  private func goOn(_ number: Int64, in writer: any Writer) throws -> Duration? {
    let find = { try Generation.all(in: writer).first { $0.number == number && $0.state == .building } }
    guard let seen = try find() else { return nil }
    guard let prefix = seen.kind else {
      if try core.index(number).smallSegmentCount(in: writer) > Self.segmentLimit { return Self.mergingPause }
      try writer.lock(Generation.lock, .exclusive)
      try find()?.goLive(now: core.kit.clock.now(), in: writer)
      return nil
    }
    try writer.lock(Generation.lock, .shared)
    let after = Identifier(rawValue: seen.after)
    let kind = core.kind(prefix)
    let ids = try kind?.things(after: after, limit: Self.atOnce, in: writer) ?? []
    if let kind, let last = ids.last {
      try core.put(ids, of: kind, in: number, writer)
      try seen.advance(
        to: prefix, after: last.rawValue, lookedAt: seen.lookedAt + Int64(ids.count), in: writer)
    } else {
      let next = seen.kinds.filter { $0 > prefix }.min()
      try seen.advance(to: next, after: 0, lookedAt: seen.lookedAt, in: writer)
    }
    return .zero
  }
}
