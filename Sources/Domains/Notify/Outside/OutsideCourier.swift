import Base
import DomainKit
import NotifyAPI
import Storage

/// Takes one letter out to somebody without an account: a job, which sends outside of any transaction and notes the outcome
/// in the one that ends it.
struct OutsideCourier: Sendable {
  let core: NotifyCore
  let way: Way
  let outbound: any Outbound

  private enum Plan: Sendable {
    /// It is settled, or gone.
    case nothing
    /// The address wants no more since it was written.
    case skip
    case send(OutboundLetter)
  }

  func run(_ job: Job) async throws {
    guard let key = OutsideKey(job.timer.key) else { return }
    switch try await core.kit.database.read({ try plan(key, in: $0) }) {
    case .nothing: return
    case .skip: try await job.finish { try OutsideRow.settle(key, .skipped, at: core.now, in: $0) }
    case .send(let letter):
      let outcome = try await outbound.sendUnlessCancelled(letter)
      // A worker that is stopped notes nothing: what it was told may be that it had to stop.
      try Task.checkCancellation()
      try await job.finish { try note(outcome, of: key, in: $0) }
    }
  }

  private func plan(_ key: OutsideKey, in reader: any Reader) throws -> Plan {
    guard let row = try OutsideRow.waiting(key, in: reader) else { return .nothing }
    if try core.hasStopped(key.lookup, in: reader) { return .skip }
    // A kind that no domain declares any more is stopped like an invitation.
    let sort = core.catalog[row.kind]?.outsideSort ?? .invitation
    let notice = key.id.text(kind: IDKind.notice)
    return .send(
      OutboundLetter(
        key: "\(notice).\(way.name)", way: way.name, address: try core.outsideKeys.open(row.sealed, lookup: key.lookup),
        title: try core.opened(row.title, in: reader), text: try core.opened(row.text, in: reader), kind: row.kind,
        notice: notice, object: row.object.isEmpty ? nil : row.object,
        unsubscribeToken: core.outsideKeys.stopToken(key.lookup, sort)))
  }

  private func note(_ outcome: SendOutcome, of key: OutsideKey, in writer: any Writer) throws {
    switch outcome {
    case .accepted: return try OutsideRow.settle(key, .sent, at: core.now, in: writer)
    case .refused(let reason), .gone(let reason): try giveUp(key, reason, in: writer)
    case .retry(let reason):
      guard let row = try OutsideRow.waiting(key, in: writer) else { return }
      let tries = row.tries + 1
      if tries >= core.limits.tries { return try giveUp(key, reason, in: writer) }
      try writer.execute(
        "UPDATE notify_outside SET tries = $3 WHERE lookup = $1 AND id = $2", key.lookup, key.id, tries)
      let wait = core.limits.wait(after: tries)
      try core.timers.set(
        way.outsideJob, key: key.text, due: core.now + core.kit.random.jittered(wait), in: writer)
    }
  }

  /// No list of deliveries has it, so the log says why.
  private func giveUp(_ key: OutsideKey, _ reason: String, in writer: any Writer) throws {
    core.kit.log.warning(
      "outside_letter_failed", ["letter": .text(key.id.text(kind: IDKind.notice)), "reason": .text(reason)])
    try OutsideRow.settle(key, .failed, at: core.now, in: writer)
  }
}
