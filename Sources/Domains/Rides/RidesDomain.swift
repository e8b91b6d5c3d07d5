import Base
public import DomainKit
public import RPC
import RidesAPI
public import Storage
public import Streaming

/// Rides: riders book, track and pay them; drivers go online, take offers and drive.
///
///     let rides = RidesDomain(kit: kit, jobs: jobs, rooms: chat.rooms, notices: notify.notices)
///     try jobs.register(rides.jobs, of: RidesDomain.name, kit.timeZones)             // before timers.start()
///     rides.register(in: &registry)
///     try await rides.start()                                                   // after the migrations
///     …
///     await rides.stop()
public final class RidesDomain: Domain {
  public static let name = "rides"
  public static var descriptors: [[UInt8]] { [RidesAPIDescriptors.serializedFileDescriptorSet] }

  /// The tables; after those of storage and streaming.
  public static var migrations: [Migration] { RidesSchema.migrations }

  /// The roles that staff can be granted.
  public static var roles: [RoleDefinition] { [.staff("rides.ops"), .staff("rides.support")] }

  /// What it tells people.
  public static var noticeKinds: [NoticeKind] { RideNotices.all }

  let core: RidesCore
  private let loops = Locked<[Task<Void, Never>]>([])
  private let pause: @Sendable (Duration) async throws -> Void

  /// - Parameter pause: waits between two rounds of the background work; tests say when it goes on.
  public init(
    kit: Kit, jobs: Jobs, rooms: any Rooms, notices: any Notices, limits: RidesLimits = RidesLimits(),
    pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.pause = pause
    let fleet = Fleet(isShared: kit.others != nil)
    core = RidesCore(
      kit: kit, jobs: jobs, rooms: rooms, notices: notices, limits: limits, fleet: fleet,
      owner: kit.others.map { CityOwner($0, kit: kit, fleet: fleet, lifetime: limits.cityLease) },
      pinKey: kit.keys.derived(for: "rides PINs 1"), tracks: Self.tracks(kit),
      durables: ConflatingTopics(), sessions: Self.sessions(kit), wishes: Self.wishes(kit))
  }

  private static func tracks(_ kit: Kit) -> ConflatingTopics<TrackPoint> {
    let merge: ConflatingTopics<TrackPoint>.Merge = { $0.merged(with: $1) }
    guard let bus = kit.others?.bus else { return ConflatingTopics(merge: merge) }
    return ConflatingTopics(
      bus: bus, subject: "octet.rides.tracks", key: kit.keys.derived(for: "rides tracks 1"), merge: merge,
      encode: { $0.encoded() }, decode: TrackPoint.init(decoding:))
  }

  private static func sessions(_ kit: Kit) -> ConflatingTopics<Identifier> {
    // What is read in the database may be older than what has just been said.
    let merge: ConflatingTopics<Identifier>.Merge = { $1 > $0 ? $1 : nil }
    guard let bus = kit.others?.bus else { return ConflatingTopics(merge: merge) }
    return ConflatingTopics(
      bus: bus, subject: "octet.rides.sessions", key: kit.keys.derived(for: "rides sessions 1"), merge: merge,
      encode: { id in
        var words = BusWords()
        words.append(id.rawValue)
        return words.bytes
      },
      decode: { bytes in
        guard var words = BusWords(bytes), words.left == 1 else { return nil }
        return Identifier(rawValue: words.word())
      })
  }

  private static func wishes(_ kit: Kit) -> ConflatingTopics<Int64> {
    guard let bus = kit.others?.bus else { return ConflatingTopics() }
    return ConflatingTopics(
      bus: bus, subject: "octet.rides.wishes", key: kit.keys.derived(for: "rides wishes 1"),
      encode: { wish in
        var words = BusWords()
        words.append(wish)
        return words.bytes
      },
      decode: { bytes in
        guard var words = BusWords(bytes), words.left == 1 else { return nil }
        return words.word()
      })
  }

  public var jobs: [JobDeclaration] { core.declaredJobs }

  /// What is kept of its topics for those who come back.
  public var topicRetention: [String: TopicRetention] {
    ["driver": TopicRetention(age: core.limits.eventRetention)]
  }

  public var subjects: [any SubjectKind] { [RideSubject(core: core)] }

  public var personalRecords: (any PersonalRecords)? { RidesRecords(core: core) }

  /// Checks the invariants of rides on one snapshot.
  public func checkInvariants() async throws -> [InvariantCheck] {
    try await core.kit.checkOnSnapshot { try $0.checkInvariants() }
  }

  /// Registers the services of the domain.
  public func register(in registry: inout ServiceRegistry) {
    DriverHandlers(core: core).register(in: &registry)
    PricingHandlers(core: core).register(in: &registry)
    RideHandlers(core: core).register(in: &registry)
    TrackingHandlers(core: core).register(in: &registry)
    ZoneHandlers(core: core).register(in: &registry)
    AuditHandlers(core: core).register(in: &registry)
  }

  /// Takes up the drivers at work from storage and begins to match, in the background.
  public func start() async throws {
    try await core.restoreFleet()
    loops.withLock { loops in
      precondition(loops.isEmpty, "rides were started twice")
      loops = [
        loop(every: core.limits.matchInterval) { [core] in try await core.matchOnce() },
        loop(every: core.limits.trailInterval) { [core] in try await core.flushTrails() },
        loop(every: core.limits.checkpointInterval) { [core] in try await core.checkpointPositions() },
        loop(every: core.limits.sweepInterval) { [core] in try await core.sweepQuotes() },
      ]
      guard core.owner != nil else { return }
      loops.append(loop(every: core.limits.trailInterval) { [core] in try await core.followOtherNodes() })
    }
  }

  /// Ends the background work, and makes durable what is still in memory.
  public func stop() async {
    let running = loops.withLock { loops in
      defer { loops = [] }
      return loops
    }
    for loop in running { loop.cancel() }
    for loop in running { await loop.value }
    await finish { try await core.flushTrails() }
    await finish { try await core.checkpointPositions() }
    await finish { try await core.owner?.leave() }
  }

  /// Does one of the last things. If it fails the others are done all the same: cities must not wait for an owner because a
  /// trail could not be written.
  private func finish(_ last: () async throws -> Void) async {
    do {
      try await last()
    } catch {
      core.kit.log.error("rides_flush_failed", ["error": .text(String(describing: error))])
    }
  }

  /// One round of matching in every city, for tests that move the clock.
  /// - Returns: how many offers were made.
  @discardableResult
  public func matchOnce() async throws -> Int { try await core.matchOnce() }

  /// Makes the points of trails that wait durable, for tests.
  public func flushTrails() async throws { try await core.flushTrails() }

  private func loop(
    every interval: Duration, _ body: @escaping @Sendable () async throws -> Void
  ) -> Task<Void, Never> {
    let (log, pause) = (core.kit.log, pause)
    return Task {
      while true {
        do {
          try await pause(interval)
          try await body()
        } catch is CancellationError {
          return
        } catch {
          // A busy database: the next round does the work.
          log.warning("rides_round_failed", ["error": .text(String(describing: error))])
        }
      }
    }
  }
}

extension RidesCore {
  /// Deletes quotes that were never used, all of them: a batch a round would not keep up with those who ask for many.
  func sweepQuotes() async throws {
    let limit = now - limits.quoteRetention
    let batch = limits.sweepBatch
    while try await kit.database.write({ try $0.deleteQuotes(expiredBefore: limit, limit: batch) }) == batch {}
  }
}
