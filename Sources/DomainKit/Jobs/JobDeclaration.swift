public import Base
public import Storage

/// A kind of job and who does it, for `Domain.jobs`.
public struct JobDeclaration: Sendable {
  let kind: String
  let register: @Sendable (Timers) -> Void
}

extension JobKind {
  /// Jobs whose effect fits into one transaction, which also removes the job: so it happens exactly once.
  ///
  /// `body` may set the same kind and key again. If it throws, nothing of it remains, and it is tried again later.
  public func inTransaction(
    _ body: @escaping @Sendable (DueJob<Payload>, any Writer) throws -> Void
  ) -> JobDeclaration {
    let (name, terms) = (name, terms)
    return JobDeclaration(kind: name) { timers in
      timers.handle(
        name, policy: terms.retry, atOnce: terms.atOnce ?? Timers.standardLimit, weight: terms.weight
      ) { writer, timer in try body(DueJob(timer), writer) }
    }
  }

  /// Jobs that take longer, or work outside of the database. What `body` writes goes through its `Job`, and commits only
  /// while the job is this worker's.
  public func byWorker(
    _ body: @escaping @Sendable (DueJob<Payload>, Job) async throws -> Void
  ) -> JobDeclaration {
    let (name, terms) = (name, terms)
    return JobDeclaration(kind: name) { timers in
      timers.work(
        name, policy: terms.retry, atOnce: terms.atOnce ?? Timers.standardWorkers, weight: terms.weight,
        lease: terms.lease
      ) { job in try await body(DueJob(job.timer), job) }
    }
  }

  /// Jobs that machines do: they ask for one by a call of the domain's, which answers `Jobs.lease`.
  /// - Parameter givenUp: what to do when the last attempt has failed or its lease has run out, in the transaction that
  ///   makes the job a dead letter; or when staff have cancelled it.
  public func byMachines(
    givenUp: @escaping @Sendable (JobKey, any Writer) throws -> Void = { _, _ in }
  ) -> JobDeclaration {
    let (name, terms) = (name, terms)
    return JobDeclaration(kind: name) { timers in
      timers.offer(name, policy: terms.retry, lease: terms.lease) { writer, timer in
        try givenUp(JobKey(timer.key), writer)
      }
    }
  }
}

/// Work that comes again and again, for `Domain.schedules`: each tick sets a job.
///
///     JobSchedule("contests.awards", "0 9 * * mon", in: "Europe/Helsinki", sets: awards, NoPayload())
///
/// Ticks follow the clocks of the zone, also when these are changed (`CronExpression` says how). Those that nobody was there
/// for become one run, whose instant is the first of them. The job's key is the schedule's name.
public struct JobSchedule: Sendable {
  let name: String
  let expression: String
  let zone: String
  let kind: String
  let payload: [UInt8]

  /// - Parameters:
  ///   - name: the domain's name, a dot, and a word.
  ///   - expression: five fields as in crontab(5).
  ///   - zone: in the tz database.
  public init<Payload>(
    _ name: String, _ expression: String, in zone: String = TimeZoneTable.utc.name, sets kind: JobKind<Payload>,
    _ payload: Payload
  ) {
    self.name = name
    self.expression = expression
    self.zone = zone
    self.kind = kind.name
    self.payload = payload.jobBytes
  }
}
