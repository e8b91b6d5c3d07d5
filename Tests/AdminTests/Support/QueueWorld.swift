import Base
import Cryptography
import DomainKit
import Storage

@testable import Admin

/// One queue, and processes that serve it. It opens ten seconds after it was made.
final class QueueWorld: Sendable {
  let world: AdminWorld
  let event: QueueEvent
  /// The process that tests use when they do not care.
  let process: AdminDomain

  /// - Parameter node: of the process; nil for one that is alone.
  init(
    rate: Int64 = 10, burst: Int64 = 5, cap: Int64 = 1_000_000, ticketTime: Duration = .seconds(300),
    lobbyFrom: Duration? = nil, node: Int? = nil, limits: QueueLimits = QueueLimits()
  ) async throws {
    let world = try await AdminWorld()
    let process = try world.process(node, limits: limits)
    let start = world.clock.now()
    let plan = QueuePlan(
      opensAt: start + .seconds(10), lobbyFrom: lobbyFrom.map { start + $0 }, ratePerSecond: rate, burst: burst,
      ticketTime: ticketTime, cap: cap)
    let subject = SubjectID("flash", Identifier(rawValue: 1))
    event = try await world.database.write { try process.queue.create(plan, for: subject, in: $0) }
    (self.world, self.process) = (world, process)
  }

  var database: any Database { world.database }
  var clock: ManualClock { world.clock }

  static func user(_ number: Int) -> Identifier { Identifier(rawValue: Int64(number)) }

  @discardableResult
  func join(_ user: Int, at process: AdminDomain? = nil) async throws -> QueuePlace {
    let (queue, event) = ((process ?? self.process).queue, event.id)
    return try await database.write { try queue.join(event, as: Self.user(user), in: $0) }
  }

  func leave(_ user: Int) async throws {
    let (queue, event) = (process.queue, event.id)
    try await database.write { try queue.leave(event, as: Self.user(user), in: $0) }
  }

  func close() async throws {
    let (queue, event) = (process.queue, event.id)
    try await database.write { try queue.close(event, in: $0) }
  }

  func spend(_ ticket: String, _ user: Int, of other: Identifier? = nil) async throws {
    let (queue, event) = (process.queue, other ?? event.id)
    try await database.write { try queue.spend(ticket, of: event, by: Self.user(user), in: $0) }
  }

  func round(of process: AdminDomain? = nil) async throws {
    try await (process ?? self.process).runner.round()
  }

  /// Passes the time until the queue opens, and opens it.
  func open() async throws {
    clock.advance(by: .seconds(10))
    try await round()
  }

  var present: QueueEvent {
    get async throws {
      let (queue, id) = (process.queue, event.id)
      return try await database.read { try queue.event(id, in: $0) } ?? event
    }
  }

  /// Who was admitted, in order, as anybody can read it.
  var admitted: [QueuePlace] {
    get async throws {
      let (queue, id) = (process.queue, event.id)
      var all: [QueueAdmission] = []
      while true {
        let last = all.last?.number ?? 0
        let page = try await database.read { try queue.admissions(of: id, after: last, limit: 300, in: $0) }
        all += page
        if page.isEmpty { break }
      }
      guard all.map(\.number) == Array(1...Int64(max(all.count, 1))).prefix(all.count).map({ $0 }) else {
        throw Gap()
      }
      return all.map(\.place)
    }
  }

  struct Gap: Error {}

  /// The order in which places are to be admitted, computed with nothing but the published secret.
  static func order(_ places: [QueuePlace], secret: [UInt8]) -> [QueuePlace] {
    let key = SecretKey(secret)
    func code(_ place: QueuePlace) -> [UInt8] { Hash.hmacSHA256(Array(place.entry.text(kind: "qe").utf8), key: key) }
    let lobby = places.filter(\.isLobby).map { ($0, code($0)) }.sorted { $0.1.lexicographicallyPrecedes($1.1) }.map(\.0)
    return lobby + places.filter { !$0.isLobby }.sorted { $0.sequence < $1.sequence }
  }

  func state(_ place: QueuePlace) async throws -> EntryRow.State? {
    try await database.read { try EntryRow.find(place.event, place.entry, in: $0)?.state }
  }
}

/// A stream that follows a place, and keeps what it was told.
final class Listener: Sendable {
  private let told = Locked<[QueueUpdate]>([])
  private let task: Task<Void, any Error>
  private let arrived: ParkingSpot

  /// Returns when the stream counts as there.
  init(_ place: QueuePlace, at process: AdminDomain) async {
    let (told, arrived) = (told, ParkingSpot())
    self.arrived = arrived
    let before = process.admissions.followers.of(place.event).count
    task = Task {
      try await process.queue.follow(place) { update in
        told.withLock { $0.append(update) }
        arrived.unpark()
      }
    }
    while process.admissions.followers.of(place.event).count == before { await Task.yield() }
  }

  var updates: [QueueUpdate] { told.withLock { $0 } }

  /// Waits until it was told so often.
  func wait(for count: Int) async throws -> QueueUpdate? {
    while updates.count < count { try await arrived.park() }
    return updates.last
  }

  /// Waits for the last word.
  func end() async throws -> QueueUpdate? {
    try await task.value
    return updates.last
  }

  /// The client goes away. Returns when it counts as gone.
  func cancel() async {
    task.cancel()
    _ = try? await task.value
  }
}

extension QueueUpdate {
  var ticket: QueueTicket? {
    if case .admitted(let ticket) = self { ticket } else { nil }
  }
}
