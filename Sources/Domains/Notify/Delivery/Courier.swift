import Base
import DomainKit
import NotifyAPI
import Storage

/// Takes one notice out on one way: a job, which sends outside of any transaction and notes the outcome in the one that
/// ends it; of a push to several devices each answer as it comes. A worker that dies in between sends the same letter again,
/// under the same key.
struct Courier: Sendable {
  let core: NotifyCore
  let way: Way
  let outbound: any Outbound

  /// What is to be done about a delivery now.
  private enum Plan: Sendable {
    /// It is settled, or its notice is gone.
    case nothing
    case end(DeliveryState, String)
    case wait(until: Instant)
    case send([Parcel], DeliveryRow)

    /// No more letters, for a reason that is no fault.
    static func skip(_ delivery: DeliveryRow, _ reason: String) -> Plan {
      let (state, reason) = delivery.answers.end(.skipped, reason)
      return .end(state, reason)
    }
  }

  /// A letter to one address.
  private struct Parcel: Sendable {
    let letter: OutboundLetter
    /// The device that the address is of; nil for other ways.
    let device: Identifier?
  }

  func run(_ job: Job) async throws {
    guard let key = DeliveryKey(job.timer.key, way: way) else { return }
    switch try await core.kit.database.read({ try plan(key, in: $0) }) {
    case .nothing: return
    case .end(let state, let reason):
      try await job.finish { try settle(key, state, reason, in: $0) }
    case .wait(let end):
      try await job.finish { try postpone(key, .deferred, DeliveryRow.Reason.quietHours, until: end, in: $0) }
    case .send(let parcels, let delivery): try await send(parcels, of: delivery, key, job)
    }
  }

  private func plan(_ key: DeliveryKey, in reader: any Reader) throws -> Plan {
    guard let delivery = try DeliveryRow.find(key, in: reader), delivery.settledAt == nil,
      let entry = try InboxEntry.find(key.user, number: key.number, in: reader)
    else { return .nothing }
    let inbox = try Inbox.find(key.user, in: reader)
    if delivery.state == .deferred, entry.number <= inbox.readThrough {
      return .skip(delivery, DeliveryRow.Reason.read)
    }
    // A kind that no domain declares any more is treated like any other.
    let kind = core.catalog[entry.kind]
    let isUrgent = kind.map { $0.importance != .normal } ?? false
    if let kind, try !core.chosenWays(kind, of: key.user, in: reader).contains(way.option) {
      return .skip(delivery, DeliveryRow.Reason.switchedOff)
    }
    if !isUrgent, way.isLoud, let end = try core.quietEnd(inbox, in: reader) {
      return .wait(until: end)
    }
    let opened = try core.opened([entry], in: reader)[0]
    let parcels = try addresses(of: key.user, in: reader).filter { _, device in
      device.map { !delivery.answers.has($0) } ?? true
    }.map { address, device in
      Parcel(letter: letter(opened, to: address, device, isUrgent: isUrgent), device: device)
    }
    return parcels.isEmpty ? .skip(delivery, DeliveryRow.Reason.noAddress) : .send(parcels, delivery)
  }

  private func addresses(of user: Identifier, in reader: any Reader) throws -> [(String, Identifier?)] {
    switch way {
    case .mail: try core.contacts.contact(.email, of: user, in: reader).map { [($0, nil)] } ?? []
    case .sms: try core.contacts.contact(.phone, of: user, in: reader).map { [($0, nil)] } ?? []
    case .push: try core.deviceAddresses(of: user, in: reader).map { ($0.address, $0.id) }
    }
  }

  private func letter(
    _ entry: InboxEntry, to address: String, _ device: Identifier?, isUrgent: Bool
  ) -> OutboundLetter {
    let notice = entry.id.text(kind: IDKind.notice)
    let token = UnsubscribeToken(user: entry.user, kind: entry.kind)
    return OutboundLetter(
      key: "\(notice).\(way.name)" + (device.map { "." + $0.text(kind: IDKind.push) } ?? ""), way: way.name,
      address: address, title: entry.title, text: entry.text, kind: entry.kind, notice: notice,
      object: entry.object.isEmpty ? nil : entry.object,
      unsubscribeToken: way == .mail && !isUrgent ? token.text(key: core.unsubscribeKey) : nil)
  }

  /// Sends letters one after the other. What a device says is noted before the next letter goes: should the worker die, only
  /// the letter that it had no answer to goes again.
  private func send(_ parcels: [Parcel], of delivery: DeliveryRow, _ key: DeliveryKey, _ job: Job) async throws {
    var answers = delivery.answers
    var outcomes: [SendOutcome] = []
    for parcel in parcels {
      let outcome = try await outbound.sendUnlessCancelled(parcel.letter)
      // A worker that is stopped notes nothing: what it was told may be that it had to stop.
      try Task.checkCancellation()
      outcomes.append(outcome)
      let before = answers
      if let device = parcel.device { answers.note(outcome, of: device) }
      // The last one is noted with the outcome.
      if answers != before, outcomes.count < parcels.count {
        try await job.write { [answers] writer in
          try forget(answers.gone, in: writer)
          try note(answers, key, tries: delivery.tries, in: writer)
        }
      }
    }
    let result = Self.sum(outcomes)
    try await job.finish { [answers] in
      try finish(key, result, answers, tries: delivery.tries, in: $0)
    }
  }

  // MARK: Outcomes

  private func finish(
    _ key: DeliveryKey, _ result: SendOutcome, _ answers: DeviceAnswers, tries: Int64, in writer: any Writer
  ) throws {
    try forget(answers.gone, in: writer)
    switch result {
    case .accepted: try settle(key, .sent, "", in: writer)
    case .refused(let reason), .gone(let reason):
      let (state, reason) = answers.end(.failed, reason)
      try settle(key, state, reason, in: writer)
    case .retry(let reason):
      let tries = tries + 1
      try note(answers, key, tries: tries, in: writer)
      if tries >= core.limits.tries {
        let (state, reason) = answers.end(.failed, reason)
        return try settle(key, state, reason, in: writer)
      }
      let wait = core.limits.wait(after: tries)
      try postpone(key, .queued, reason, until: core.now + core.kit.random.jittered(wait), in: writer)
    }
  }

  private func note(_ answers: DeviceAnswers, _ key: DeliveryKey, tries: Int64, in writer: any Writer) throws {
    try writer.execute(
      """
      UPDATE notify_deliveries SET tries = $4, taken_by = $5, refused_by = $6
      WHERE user_id = $1 AND number = $2 AND way = $3
      """, key.user, key.number, way.rawValue, tries, answers.takenBy, answers.refusedBy)
  }

  private func forget(_ devices: [Identifier], in writer: any Writer) throws {
    for device in devices { try core.removeDevice(device, in: writer) }
  }

  /// Of several letters: another try while one is to be tried again, else sent if one has it.
  private static func sum(_ outcomes: [SendOutcome]) -> SendOutcome {
    for outcome in outcomes {
      if case .retry = outcome { return outcome }
    }
    return outcomes.contains(.accepted) ? .accepted : outcomes[0]
  }

  private func settle(
    _ key: DeliveryKey, _ state: DeliveryState, _ reason: String, in writer: any Writer
  ) throws {
    try writer.execute(
      """
      UPDATE notify_deliveries SET state = $4, reason = $5, settled_at = $6
      WHERE user_id = $1 AND number = $2 AND way = $3 AND settled_at IS NULL
      """, key.user, key.number, way.rawValue, state.rawValue, reason, core.now)
  }

  private func postpone(
    _ key: DeliveryKey, _ state: DeliveryState, _ reason: String, until due: Instant, in writer: any Writer
  ) throws {
    try writer.execute(
      """
      UPDATE notify_deliveries SET state = $4, reason = $5, due_at = $6
      WHERE user_id = $1 AND number = $2 AND way = $3 AND settled_at IS NULL
      """, key.user, key.number, way.rawValue, state.rawValue, reason, due)
    try core.timers.set(way.job, key: key.text, due: due, in: writer)
  }
}

extension NotifyCore {
  /// Says how letters are sent and broadcasts go on. Before the timers are started.
  func handleTimers() {
    for (way, outbound) in outbound {
      let courier = Courier(core: self, way: way, outbound: outbound)
      var policy = RetryPolicy()
      // Tries are counted in the delivery. A worker that dies has not tried.
      policy.attempts = .max
      timers.work(way.job, policy: policy, atOnce: limits.lettersAtOnce) { try await courier.run($0) }
    }
    handleLetters()
    handleOutside()
    handleBroadcasts()
  }
}
