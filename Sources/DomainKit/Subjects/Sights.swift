public import Base
import Cryptography
public import Storage
import Streaming

/// Wakes streams when what they are about may have become hidden though nothing happens to it: it lies under a thing that
/// has, or its owner has blocked the reader. Whoever is woken asks the database; nothing is told here but that.
///
/// What another node has changed comes over the bus, which may lose it; so each change is also noted in the database, where
/// `SightCatchUp` looks for all streams at once. Safe to share between threads.
public final class Sights: SubjectObserver {
  /// Of these messages alone.
  private static let busSubject = "octet.sights"

  private struct State {
    var watchers: [SubjectID: [UInt64: @Sendable () -> Void]] = [:]
    var lastNumber: UInt64 = 0
    var changes: UInt64 = 0
    /// The subscription to the bus.
    var registration: BusSubscription?
  }

  private let state = Locked(State())
  private let bus: (any MessageBus)?
  private let seal: BusSeal
  /// Nil if no other node has to be told.
  private let notes: SightNotes?

  init(bus: (any MessageBus)?, notes: SightNotes?, key: SecretKey) {
    self.bus = bus
    self.notes = notes
    seal = BusSeal(key: key)
    let registration = bus?.subscribe(Self.busSubject) { [weak self, seal] sealed in
      guard let self, let message = seal.open(sealed),
        let subject = SubjectID(parsing: String(decoding: message, as: UTF8.self))
      else { return }
      wake(subject)
    }
    state.withLock { $0.registration = registration }
  }

  /// How many changes there have been, of anything. Taken before a look, it tells later whether another one may see less.
  public var changes: UInt64 { state.withLock { $0.changes } }

  public func visibilityChanged(of subject: SubjectID, in writer: any Writer) throws {
    try notes?.note(subject, in: writer)
    writer.afterCommit { [self] in
      wake(subject)
      bus?.publish(Self.busSubject, seal.seal(Array(subject.text.utf8)))
    }
  }

  /// To be called in a transaction after which a user may see less than before of what others have: a block, say.
  public func changed(for reader: Identifier, in writer: any Writer) throws {
    try visibilityChanged(of: Self.reader(reader), in: writer)
  }

  /// What stands for all that a user reads. No thing has an id of this kind.
  static func reader(_ user: Identifier) -> SubjectID { SubjectID("reader", user) }

  func wake(_ subject: SubjectID) {
    let woken: [@Sendable () -> Void] = state.withLock { state in
      state.changes += 1
      return state.watchers[subject].map { Array($0.values) } ?? []
    }
    for look in woken { look() }
  }

  /// Calls `look` after each change of one of `things`, from any thread. It must not wait.
  /// - Returns: the registration; it ends when the object is let go.
  func watch(_ things: [SubjectID], _ look: @escaping @Sendable () -> Void) -> SightWatch {
    let number = state.withLock { state in
      state.lastNumber += 1
      for thing in things { state.watchers[thing, default: [:]][state.lastNumber] = look }
      return state.lastNumber
    }
    return SightWatch { [self] in
      state.withLock { state in
        for thing in things {
          state.watchers[thing]?[number] = nil
          if state.watchers[thing]?.isEmpty == true { state.watchers[thing] = nil }
        }
      }
    }
  }
}

/// Keeps a watch. Letting go of it ends that.
final class SightWatch: Sendable {
  private let cancel: @Sendable () -> Void

  init(_ cancel: @escaping @Sendable () -> Void) {
    self.cancel = cancel
  }

  deinit {
    cancel()
  }
}

/// What a stream can lose sight of, and how that is found out.
public struct Sight: Sendable {
  let things: [SubjectID]
  /// How many changes there had been before the stream's first look.
  let since: UInt64
  let confirm: @Sendable (any Reader) throws -> Void
}

extension Kit {
  /// Begins to watch over a stream. Before its first look at what it is about.
  public func lookout() -> Lookout { Lookout(kit: self, since: sights.changes) }
}

/// Makes the `Sight` of a stream.
public struct Lookout: Sendable {
  let kit: Kit
  let since: UInt64

  /// What a stream about a thing can lose sight of. In the transaction of the first look.
  /// - Parameters:
  ///   - isTopicDurable: whether a topic tells of the thing itself, and loses no word of it.
  ///   - confirm: throws what the stream ends with if its caller may not see the thing any more.
  public func sight(
    of subject: SubjectID, by caller: Caller?, in reader: any Reader, isTopicDurable: Bool = true,
    confirm: @escaping @Sendable (any Reader) throws -> Void
  ) throws -> Sight {
    var things = try kit.subjects.chain(of: subject, in: reader)
    if isTopicDurable { things.removeFirst() }
    if let caller { things.append(Sights.reader(caller.user)) }
    return Sight(things: things, since: since, confirm: confirm)
  }
}
