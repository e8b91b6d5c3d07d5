public import Base
public import Storage

/// Deferred work: set and cancelled in the caller's transaction, done after it, whatever crashes in between.
///
/// A job ends done, cancelled or given up; its effect commits once, under the latest lease.
public struct Jobs: Sendable {
  private let timers: Timers
  private let schedules: Schedules

  public init(timers: Timers) {
    self.timers = timers
    schedules = Schedules(timers: timers)
  }

  // MARK: For the server

  /// Takes what a domain declares. Before `start`; traps on a name that is not the domain's own, or is there twice.
  /// - Throws: `CronError` for a schedule that is none; `UnknownTimeZone`.
  public func register(
    _ kinds: [JobDeclaration], _ schedules: [JobSchedule] = [], of domain: String, _ zones: TimeZones
  ) throws {
    for kind in kinds {
      precondition(kind.kind.hasPrefix(domain + "."), "\(kind.kind) is no kind of \(domain)'s")
      kind.register(timers)
    }
    for schedule in schedules {
      precondition(schedule.name.hasPrefix(domain + "."), "\(schedule.name) is no schedule of \(domain)'s")
      guard let zone = zones.table(schedule.zone) else { throw UnknownTimeZone(name: schedule.zone) }
      self.schedules.add(
        schedule.name, try CronExpression(schedule.expression, in: zone), sets: schedule.kind,
        payload: schedule.payload)
    }
  }

  /// Makes the declared schedules known to the database. Before the timers are started.
  public func start() async throws {
    try await schedules.start()
  }

  // MARK: Setting

  /// Sets a job in place of the one with this kind and key, if there is one. Whoever does the old one cannot write any
  /// more.
  public func set<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, _ payload: Payload, due: Instant, in writer: any Writer
  ) throws {
    try timers.set(kind.name, key: key.text, due: due, payload: payload.jobBytes, in: writer)
  }

  /// The same for a kind whose key says all.
  public func set(_ kind: JobKind<NoPayload>, _ key: JobKey, due: Instant, in writer: any Writer) throws {
    try set(kind, key, NoPayload(), due: due, in: writer)
  }

  /// Sets a job unless there is one with this kind and key, waiting or under way.
  /// - Returns: whether it was set.
  @discardableResult
  public func setIfAbsent<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, _ payload: Payload, due: Instant, in writer: any Writer
  ) throws -> Bool {
    try timers.setIfAbsent(kind.name, key: key.text, due: due, payload: payload.jobBytes, in: writer)
  }

  /// Removes a job. Whoever does it cannot write any more.
  /// - Returns: whether there was one.
  @discardableResult
  public func cancel<Payload>(_ kind: JobKind<Payload>, _ key: JobKey, in writer: any Writer) throws -> Bool {
    try timers.cancel(kind.name, key: key.text, in: writer)
  }

  /// How a job stands; nil if there is none: it was never set, is done, or was given up.
  public func status<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, in reader: any Reader
  ) throws -> TimerStatus? {
    try timers.status(kind.name, key: key.text, in: reader)
  }

  // MARK: For machines

  /// Jobs with a payload that cannot be read which one call fails; the next call goes on with others.
  private static var unreadableAtOnce: Int { 64 }

  /// Leases the job of a kind that has been due for longest to whoever calls. Its key and fence are what the machine shows
  /// from then on.
  ///
  /// In a `kit.mutate`, so that a machine whose reply was lost gets the same job again.
  /// - Returns: nil if none is due.
  public func lease<Payload>(_ kind: JobKind<Payload>, in writer: any Writer) throws -> LeasedJob<Payload>? {
    for _ in 0..<Self.unreadableAtOnce {
      guard let (timer, end) = try timers.takeNext(kind.name, in: writer) else { return nil }
      do {
        return LeasedJob(job: try DueJob(timer), until: end)
      } catch {
        // What nobody can read is given up in the end, and others are not kept waiting for it.
        try timers.putBack(timer, error: "\(error)", in: writer)
      }
    }
    return nil
  }

  /// Extends a lease from now.
  /// - Returns: its new end.
  /// - Throws: `JobLost`, which clients are told as `LEASE_LOST`, if it has run out, or the job was cancelled, set anew or
  ///   leased again.
  public func extend<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, fence: Int64, in writer: any Writer
  ) throws -> Instant {
    try timers.extend(kind.name, key: key.text, fence: fence, in: writer)
  }

  /// Ends a job that was done. Its effect belongs into the same transaction.
  /// - Throws: like `extend`.
  public func finish<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, fence: Int64, in writer: any Writer
  ) throws {
    try timers.finish(kind.name, key: key.text, fence: fence, in: writer)
  }

  /// Ends an attempt that has failed: the job comes again later, or is given up.
  /// - Parameter reason: for people.
  /// - Throws: like `extend`; what the kind's `givenUp` throws.
  public func fail<Payload>(
    _ kind: JobKind<Payload>, _ key: JobKey, fence: Int64, _ reason: String, in writer: any Writer
  ) throws {
    try timers.fail(kind.name, key: key.text, fence: fence, error: reason, in: writer)
  }
}

/// A job that a machine has.
public struct LeasedJob<Payload: JobPayload>: Sendable {
  public let job: DueJob<Payload>
  /// When others may have it, unless the machine extends the lease before.
  public let until: Instant
}

extension LeasedJob: Equatable where Payload: Equatable {}

/// The tz database of this machine has no such zone.
public struct UnknownTimeZone: Error, Sendable, Equatable {
  public let name: String
}

extension JobLost: DomainError {
  public var mapping: ErrorMapping { KitError.leaseLost.mapping }
}

extension LeaseLost: DomainError {
  public var mapping: ErrorMapping { KitError.leaseLost.mapping }
}
