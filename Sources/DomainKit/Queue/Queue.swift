public import Base
public import Storage

/// Admission queues: for what more people want at one moment than can be served at once. The admin domain implements it.
///
/// A queue has a lobby until it opens. Who is in the lobby then is admitted in an order that nobody could know before: by
/// `QueueOrder`, under a secret whose hash was published with the queue. Later ones follow in the order in which they came.
/// Admission gives a ticket, which is spent in the transaction of the purchase.
public protocol Queue: Sendable {
  /// Makes a queue in the caller's transaction.
  /// - Parameter subject: what is sold, for records.
  func create(_ plan: QueuePlan, for subject: SubjectID, in writer: any Writer) throws -> QueueEvent

  /// Ends a queue in the caller's transaction: nobody is admitted or may join any more. Tickets stay good for their time. A
  /// repeat changes nothing.
  func close(_ event: Identifier, in writer: any Writer) throws

  /// A queue as it is; nil for an unknown one.
  func event(_ id: Identifier, in reader: any Reader) throws -> QueueEvent?

  /// Gives a user a place. Whoever has one that lives already, also by another device, gets that one.
  /// - Throws: `QueueError.notOpen`, `.windowClosed`, `.full`; `KitError.notFound` for an unknown queue.
  func join(_ event: Identifier, as user: Identifier, in writer: any Writer) throws -> QueuePlace

  /// Gives a user's place up, and the ticket if there is one already. Nothing happens to those who have none.
  func leave(_ event: Identifier, as user: Identifier, in writer: any Writer) throws

  /// Tells how a place gets on: the newest state when it has changed, the place itself every few seconds. Returns after the
  /// last word (`admitted` or `ended`).
  ///
  /// Somebody who follows is there. A place that nobody has followed for a minute when its turn comes is given up.
  func follow(_ place: QueuePlace, _ tell: @Sendable (QueueUpdate) async throws -> Void) async throws

  /// Spends a ticket in the transaction of the purchase.
  /// - Parameter ticket: as the client gave it.
  /// - Throws: `QueueError.admissionRequired` for what is no ticket of this user for this queue, or was spent;
  ///   `.admissionExpired`.
  func spend(_ ticket: String, of event: Identifier, by user: Identifier, in writer: any Writer) throws

  /// Who was admitted, in the order of admission, page by page.
  /// - Parameter number: of the last one of the page before; 0 for the first page.
  func admissions(
    of event: Identifier, after number: Int64, limit: Int, in reader: any Reader
  ) throws -> [QueueAdmission]
}

/// A queue to be made.
public struct QueuePlan: Sendable {
  /// From when on people may wait; nil for at once.
  public var lobbyFrom: Instant?
  /// When the order of the lobby is drawn and admission begins.
  public var opensAt: Instant
  /// How many are admitted in a second.
  public var ratePerSecond: Int64
  /// How many are admitted at once after a while without any.
  public var burst: Int64
  /// How long a ticket is good.
  public var ticketTime: Duration
  /// How many may wait at the same time.
  public var cap: Int64

  public init(
    opensAt: Instant, lobbyFrom: Instant? = nil, ratePerSecond: Int64 = 500, burst: Int64 = 500,
    ticketTime: Duration = .seconds(300), cap: Int64 = 1_000_000
  ) {
    precondition(ratePerSecond > 0 && burst > 0 && cap > 0 && ticketTime > .zero, "a queue that admits nobody")
    self.opensAt = opensAt
    self.lobbyFrom = lobbyFrom
    self.ratePerSecond = ratePerSecond
    self.burst = burst
    self.ticketTime = ticketTime
    self.cap = cap
  }
}

/// A queue.
public struct QueueEvent: Sendable, Equatable {
  public let id: Identifier
  /// The printed id of what is sold.
  public let subject: String
  public let opensAt: Instant
  public let isOpen: Bool
  public let isClosed: Bool
  /// SHA-256 of the secret.
  public let secretHash: [UInt8]
  /// What orders the lobby; nil until the queue opens.
  public let secret: [UInt8]?
  /// How many wait.
  public let waiting: Int64
  /// How many were admitted.
  public let admitted: Int64

  public init(
    id: Identifier, subject: String, opensAt: Instant, isOpen: Bool, isClosed: Bool, secretHash: [UInt8],
    secret: [UInt8]?, waiting: Int64, admitted: Int64
  ) {
    self.id = id
    self.subject = subject
    self.opensAt = opensAt
    self.isOpen = isOpen
    self.isClosed = isClosed
    self.secretHash = secretHash
    self.secret = secret
    self.waiting = waiting
    self.admitted = admitted
  }
}

/// A place in a queue.
public struct QueuePlace: Sendable, Equatable {
  public let event: Identifier
  /// `qe_…`.
  public let entry: Identifier
  /// Whether it was taken before the queue opened.
  public let isLobby: Bool
  /// In which order places were taken: 1, 2, 3 …
  public let sequence: Int64

  public init(event: Identifier, entry: Identifier, isLobby: Bool, sequence: Int64) {
    self.event = event
    self.entry = entry
    self.isLobby = isLobby
    self.sequence = sequence
  }
}

/// How a place gets on.
public enum QueueUpdate: Sendable, Equatable {
  /// The queue has not opened; so many wait.
  case lobby(opensAt: Instant, waiting: Int64)
  /// It is that one's turn after `place` − 1 others, in about `wait`. Some of them may leave, so a place only improves.
  case waiting(place: Int64, wait: Duration)
  /// It is that one's turn.
  case admitted(QueueTicket)
  /// The place is there no more.
  case ended(QueueEnd)

  /// Whether nothing follows.
  public var isLast: Bool {
    switch self {
    case .lobby, .waiting: false
    case .admitted, .ended: true
    }
  }
}

/// Why a place is there no more.
public enum QueueEnd: Sendable, Hashable {
  /// Its user gave it up.
  case left
  /// Nobody followed it when its turn came.
  case abandoned
  /// Its ticket was spent.
  case spent
  /// Its ticket was not spent in time.
  case expired
  /// The queue was closed.
  case closed
}

/// The right to buy.
public struct QueueTicket: Sendable, Equatable {
  /// What the client gives with its purchase. A secret; it can be made again from its row.
  public let text: String
  public let expiresAt: Instant

  public init(text: String, expiresAt: Instant) {
    self.text = text
    self.expiresAt = expiresAt
  }
}

/// Somebody was admitted.
public struct QueueAdmission: Sendable, Equatable {
  /// 1, 2, 3 … within the queue.
  public let number: Int64
  public let place: QueuePlace

  public init(number: Int64, place: QueuePlace) {
    self.number = number
    self.place = place
  }
}
