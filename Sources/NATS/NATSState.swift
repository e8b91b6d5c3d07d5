internal import Base

/// What the threads that publish and the one that talks to the server share. A value behind a lock.
struct NATSState {
  typealias Handler = @Sendable ([UInt8]) -> Void

  private let limits: NATSLimits
  private(set) var figures = NATSFigures()
  private(set) var subscriptions: [UInt64: (subject: String, handler: Handler)] = [:]
  var interruptions: [UInt64: @Sendable () -> Void] = [:]
  var isClosed = false
  private var lastNumber: UInt64 = 0
  private var isConnected: Bool {
    get { figures.isConnected }
    set { figures.isConnected = newValue }
  }
  /// What the server of this connection has complained of.
  private var complaint: NATSError?
  /// What was told since a server was last reached, of why there is none.
  private var told: Set<String> = []
  /// What waits for the thread.
  private var output: [UInt8] = []
  /// What the thread has taken and not written yet.
  var unwritten = 0
  private var pingsUnanswered = 0
  /// The answers to be awaited until the server has all subscriptions.
  private var pongsUntilSubscribed: Int?

  init(limits: NATSLimits) {
    self.limits = limits
  }

  mutating func number() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  var hasOutput: Bool { !output.isEmpty }
  var isReady: Bool { isConnected }

  mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    unwritten = output.count
    return output
  }

  /// - Returns: whether the thread must be woken.
  mutating func publish(_ subject: String, _ message: [UInt8]) -> Bool {
    let line = "PUB \(subject) \(message.count)\r\n"
    let size = line.utf8.count + message.count + 2
    guard isConnected, message.count <= limits.messageBytes,
      output.count + unwritten + size <= limits.outputBytes
    else {
      figures.dropped += 1
      return false
    }
    figures.published += 1
    let wasEmpty = output.isEmpty
    output += line.utf8
    output += message
    output += [0x0d, 0x0a]
    return wasEmpty
  }

  mutating func subscribe(_ subject: String, _ handler: @escaping Handler) -> UInt64 {
    let number = number()
    subscriptions[number] = (subject, handler)
    if isConnected {
      output += "SUB \(subject) \(number)\r\n".utf8
      ping(confirmingSubscriptions: true)
    }
    return number
  }

  mutating func unsubscribe(_ number: UInt64) {
    guard subscriptions.removeValue(forKey: number) != nil, isConnected else { return }
    output += "UNSUB \(number)\r\n".utf8
  }

  mutating func ping(confirmingSubscriptions: Bool) {
    output += "PING\r\n".utf8
    pingsUnanswered += 1
    if confirmingSubscriptions { pongsUntilSubscribed = pingsUnanswered }
  }

  /// - Throws: `NATSError` if the server asks and does not take the answers.
  mutating func pong() throws(NATSError) {
    guard output.count + unwritten <= limits.outputBytes else {
      throw NATSError(operation: "write", message: "the server takes nothing")
    }
    output += "PONG\r\n".utf8
  }

  /// The server has introduced itself.
  mutating func introduce(_ line: String) {
    output += line.utf8
    for (number, subscription) in subscriptions.sorted(by: { $0.key < $1.key }) {
      output += "SUB \(subscription.subject) \(number)\r\n".utf8
    }
    ping(confirmingSubscriptions: true)
  }

  /// The server has answered a ping.
  /// - Returns: what must be told that messages may have been lost before.
  mutating func ponged() -> [@Sendable () -> Void] {
    pingsUnanswered = max(0, pingsUnanswered - 1)
    guard let left = pongsUntilSubscribed else { return [] }
    pongsUntilSubscribed = left > 1 ? left - 1 : nil
    guard left <= 1 else { return [] }
    if !isConnected { figures.connects += 1 }
    (isConnected, told) = (true, [])
    return Array(interruptions.values)
  }

  mutating func received(_ number: UInt64) -> Handler? {
    figures.received += 1
    return subscriptions[number]?.handler
  }

  /// - Returns: why, unless it is known: attempts to connect fail again and again for one reason.
  @discardableResult
  mutating func disconnected(_ error: NATSError?) -> NATSError? {
    isConnected = false
    output = []
    unwritten = 0
    pingsUnanswered = 0
    pongsUntilSubscribed = nil
    // What the server complained of tells more than that it closed the connection then.
    let reason = complaint ?? error
    complaint = nil
    guard error != nil, let reason else { return nil }
    figures.lastError = reason
    guard told.count < limits.reasonsTold, told.insert(reason.description).inserted else { return nil }
    return reason
  }

  /// The server complains.
  mutating func failed(_ error: NATSError) {
    figures.lastError = error
    complaint = error
  }
}

/// What a connection to NATS has seen.
public struct NATSFigures: Sendable, Equatable {
  /// Whether there is a server that has all subscriptions.
  public var isConnected = false
  /// How often a server was reached.
  public var connects = 0
  /// Messages that were given to a connection.
  public var published = 0
  /// Messages that were not, because there was none, too much waited for it, or they were too long.
  public var dropped = 0
  /// Messages that came in.
  public var received = 0
  /// Why the last connection ended or was not made, or what the server last complained of.
  public var lastError: NATSError?
}

/// What a bus tells whoever looks after it.
public enum NATSNews: Sendable {
  /// A server has all subscriptions.
  case reached
  /// The connection has ended, or none could be made.
  case lost(NATSError)
}
