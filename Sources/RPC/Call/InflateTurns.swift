/// Who may decompress a message on one executor, and when. Confined to that executor, hence unchecked.
///
/// A few KB that come in can grow to a whole message limit, which takes milliseconds; hundreds of them at once would
/// hold everybody's calls. So each tick of an event loop has a share of bytes for this, `RPCLimits.inflatedBytesPerTick`,
/// and messages beyond it wait for later ticks: hosts and connections take turns (`TurnOrder`), so that nobody's honest
/// messages wait behind all of another's bombs.
///
/// A call waits with one message at a time and takes its turn out when it ends. So there are never more turns than calls
/// under way on the executor, which the transport bounds; and what the waiting messages hold is bounded as it is for
/// any message that nobody has read: by the window of its stream, and over all calls by `gatheredBytes`.
public final class InflateTurns: @unchecked Sendable {
  /// A place in the order, for one message.
  package final class Turn {
    let owner: Owner
    /// Where it stands among those of its connection.
    var place = 0
    fileprivate var work: (() -> Void)?

    fileprivate init(_ owner: Owner, _ work: @escaping () -> Void) {
      self.owner = owner
      self.work = work
    }
  }

  /// Whose turn it is.
  package struct Owner {
    let host: String
    let connection: Int64

    init(host: String, connection: Int64) {
      self.host = host
      self.connection = connection
    }

    package init(_ peer: PeerInfo) {
      self.init(host: peer.host, connection: peer.connection)
    }
  }

  private var spent = 0
  private var order = TurnOrder()
  /// How many wait.
  package private(set) var waitingCount = 0
  /// The most bytes that were decompressed in one tick so far.
  package private(set) var mostPerTick = 0

  public init() {}

  /// A new tick has begun, with a full share.
  public func tickBegan() { spent = 0 }

  /// Whether somebody waits for `takeTurns`; whoever counts the ticks must not rest then.
  public var areWaiting: Bool { waitingCount > 0 }

  /// Lets those who wait decompress as long as the tick has something left. To be called once in each tick; work may be
  /// added meanwhile.
  public func takeTurns() {
    while spent < RPCLimits.inflatedBytesPerTick, let turn = order.next() {
      waitingCount -= 1
      let work = turn.work
      turn.work = nil
      work?()
    }
  }

  /// Whether a message may be decompressed at once. Nobody overtakes those who wait.
  package var mayGoOn: Bool { waitingCount == 0 && spent < RPCLimits.inflatedBytesPerTick }

  /// Notes the length of a decompressed message.
  package func spend(_ count: Int) {
    let (sum, overflow) = spent.addingReportingOverflow(count)
    spent = overflow ? .max : sum
    mostPerTick = max(mostPerTick, spent)
  }

  /// Has `work` decompress one message, and `spend` what it took, on a later tick. Those of one connection run in the
  /// order of the calls.
  package func wait(_ owner: Owner, _ work: @escaping () -> Void) -> Turn {
    let turn = Turn(owner, work)
    order.append(turn)
    waitingCount += 1
    return turn
  }

  /// Nobody needs this turn any more: whoever is next moves up, and the work is let go of. Harmless after the turn.
  package func giveUp(_ turn: Turn) {
    guard turn.work != nil else { return }
    turn.work = nil
    order.remove(turn)
    waitingCount -= 1
  }
}
