import Base
import Cryptography
import DomainKit
import Storage

/// Admission queues in the database: every entry is a row, and its state changes by conditional writes. What is in memory
/// is made of the rows again after a restart.
final class AdmissionQueue: Queue {
  let kit: Kit
  let limits: QueueLimits
  let tickets: TicketText
  let presence: Presence
  let followers = Followers()
  /// Ends the pause of the background work.
  let loop = BackgroundLoop()
  private let secretKey: SecretKey

  init(kit: Kit, limits: QueueLimits) {
    self.kit = kit
    self.limits = limits
    tickets = TicketText(kit.keys)
    presence = Presence(random: kit.random, limits: limits, at: kit.clock.now())
    secretKey = kit.keys.derived(for: "queue secrets 1")
  }

  // MARK: Queues

  func create(_ plan: QueuePlan, for subject: SubjectID, in writer: any Writer) throws -> QueueEvent {
    let id = kit.identifiers.next()
    try EventRow.insert(id, plan, subject.text, in: writer)
    guard let row = try EventRow.find(id, in: writer) else { throw RetryTransaction() }
    return event(row)
  }

  func close(_ event: Identifier, in writer: any Writer) throws {
    try EventRow.close(event, at: kit.clock.now(), in: writer)
    writer.afterCommit { [self] in
      followers.look(event)
      loop.wake()
    }
  }

  func event(_ id: Identifier, in reader: any Reader) throws -> QueueEvent? {
    try EventRow.find(id, in: reader).map(event)
  }

  func admissions(
    of event: Identifier, after number: Int64, limit: Int, in reader: any Reader
  ) throws -> [QueueAdmission] {
    try EntryRow.admissions(event, after: number, limit: limit, in: reader)
  }

  /// What orders the lobby: made again from the server's key, so that no copy of the database tells it too early.
  func secret(of event: Identifier) -> [UInt8] {
    Hash.hmacSHA256(event.rawValue.bigEndianBytes, key: secretKey)
  }

  private func event(_ row: EventRow) -> QueueEvent {
    let secret = secret(of: row.id)
    return QueueEvent(
      id: row.id, subject: row.subject, opensAt: row.opensAt, isOpen: row.isOpen, isClosed: row.isClosed,
      secretHash: Hash.sha256(secret), secret: row.isOpen ? secret : nil, waiting: row.waiting, admitted: row.admitted)
  }

  // MARK: Places

  func join(_ event: Identifier, as user: Identifier, in writer: any Writer) throws -> QueuePlace {
    let now = kit.clock.now()
    guard let row = try EventRow.find(event, in: writer) else { throw KitError.notFound("queue") }
    if let alive = try EntryRow.alive(event, of: user, in: writer), !alive.isExpired(at: now) { return alive.place }
    guard !row.isClosed else { throw QueueError.windowClosed }
    guard now >= row.lobbyFrom else { throw QueueError.notOpen(after: row.lobbyFrom - now) }
    // From here on the queue is this transaction's, so places are numbered as they are committed.
    guard let taken = try EventRow.addWaiting(event, at: now, in: writer) else {
      throw try EventRow.find(event, in: writer)?.isClosed ?? true ? QueueError.windowClosed : QueueError.full
    }
    if let alive = try EntryRow.alive(event, of: user, in: writer) {
      // The user's other device may have been faster; then its place is this one's, too.
      guard alive.isExpired(at: now),
        try EntryRow.change(event, alive.place.entry, from: .admitted, to: .expired, in: writer)
      else { throw RetryTransaction() }
    }
    let place = QueuePlace(
      event: event, entry: kit.identifiers.next(), isLobby: taken.isLobby, sequence: taken.sequence)
    guard try EntryRow.insert(place, of: user, at: now, in: writer) else { throw RetryTransaction() }
    return place
  }

  func leave(_ event: Identifier, as user: Identifier, in writer: any Writer) throws {
    guard try EventRow.hold(event, in: writer) != nil, let alive = try EntryRow.alive(event, of: user, in: writer)
    else { return }
    try leave(alive, in: writer)
  }

  /// Gives a place up. The caller holds the queue.
  func leave(_ entry: EntryRow, in writer: any Writer) throws {
    let place = entry.place
    if try EntryRow.change(place.event, place.entry, from: .waiting, to: .left, in: writer) {
      try EventRow.removeWaiting(place.event, in: writer)
    } else {
      _ = try EntryRow.change(place.event, place.entry, from: .admitted, to: .left, in: writer)
    }
    writer.afterCommit { [self] in
      followers.look(place.event, place.entry)
      loop.wake()
    }
  }

  func follow(_ place: QueuePlace, _ tell: @Sendable (QueueUpdate) async throws -> Void) async throws {
    let follower = Follower(place)
    let followed = Presence.Followed(event: place.event, entry: place.entry)
    followers.add(follower)
    presence.begin(followed)
    defer {
      followers.remove(follower)
      presence.end(followed, at: kit.clock.now())
    }
    loop.wake()
    while true {
      let update = try await follower.next()
      try await tell(update)
      if update.isLast { return }
    }
  }

  // MARK: Tickets

  func spend(_ ticket: String, of event: Identifier, by user: Identifier, in writer: any Writer) throws {
    guard let content = tickets.content(ticket), content.event == event, content.user == user else {
      throw QueueError.admissionRequired
    }
    let now = kit.clock.now()
    if try EntryRow.spend(event, content.entry, by: user, at: now, in: writer) { return }
    let state = try EntryRow.find(event, content.entry, in: writer)?.state
    throw state == .admitted || state == .expired ? QueueError.admissionExpired : QueueError.admissionRequired
  }

  /// Where an entry stands whose row was looked at; nil while it waits.
  func standing(_ entry: EntryRow?, at now: Instant) -> QueueUpdate? {
    guard let entry else { return .ended(.left) }
    switch entry.state {
    case .waiting: return nil
    case .admitted:
      guard !entry.isExpired(at: now), let user = entry.user, let expiresAt = entry.ticketExpiresAt else {
        return .ended(.expired)
      }
      return .admitted(
        tickets.ticket(
          TicketText.Content(
            event: entry.place.event, entry: entry.place.entry, user: user, expiresAt: expiresAt)))
    case .spent: return .ended(.spent)
    case .expired: return .ended(.expired)
    case .abandoned: return .ended(.abandoned)
    case .left: return .ended(.left)
    }
  }
}

extension EntryRow {
  /// Whether it has a ticket whose time is over, though its row does not say so yet.
  func isExpired(at now: Instant) -> Bool {
    state == .admitted && ticketExpiresAt.map { $0 <= now } ?? true
  }
}
