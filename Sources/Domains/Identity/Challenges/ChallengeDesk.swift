import Base
import Cryptography
import DomainKit
import ProtobufRuntime
import RPC
import Storage

/// Gives challenges out, judges their solutions, and knows which addresses have to be asked. Safe to share between
/// threads.
final class ChallengeDesk: Challenges {
  /// The metadata that carries a solution.
  static let metadataName = "octet-challenge"
  /// How long a challenge can be answered.
  static let lifetime = Duration.seconds(120)
  /// How many addresses' solutions are counted: some hundred bytes each. An address that is forgotten begins anew with
  /// easy challenges.
  private static let countedAddresses = 16_384

  private let kit: Kit
  private let hook: any ChallengeHook
  private let limiter: RateLimiter
  private let requestKey: SecretKey
  private let pressure: Locked<BoundedCache<String, ChallengePressure>>

  /// - Parameter rate: how often an address may call each method that asks above it.
  init(kit: Kit, hook: any ChallengeHook, rate: Rate) {
    self.kit = kit
    self.hook = hook
    limiter = RateLimiter(limits: RateLimits(standard: rate), clock: kit.clock)
    requestKey = kit.keys.derived(for: "identity challenged requests 1")
    pressure = Locked(BoundedCache(capacity: Self.countedAddresses))
  }

  /// A solution that a call carries, not spent yet.
  struct Solution: Sendable {
    fileprivate let solved: SolvedChallenge
    fileprivate let requestHash: [UInt8]
    fileprivate let host: String
  }

  /// A puzzle for calls of a method by a device, or from a host that has none.
  func issue(for method: String, device: DeviceHash?, host: String) async throws -> IssuedChallenge {
    let now = kit.clock.now()
    let effort = pressure.withLock { $0.update(host, initial: ChallengePressure(now: now)) { $0.effort(now: now) } }
    return try await hook.issue(
      for: subject(method, device, host), effort: effort, expiresAt: now + Self.lifetime)
  }

  /// The solution that a call carries; nil if it carries none that is right.
  func solution(
    in context: ServerContext, for request: some MutatingRequest, device: DeviceHash?
  ) async throws -> Solution? {
    guard let text = context.metadata[Self.metadataName] else { return nil }
    let subject = subject(Self.name(of: context.method), device, context.peer.host)
    guard let solved = try await hook.check(text, for: subject, now: kit.clock.now()) else { return nil }
    let hash = Hash.blake2b(request.encoded(), key: requestKey, length: 16)
    return Solution(solved: solved, requestHash: hash, host: context.peer.host)
  }

  /// Spends a solution for its request.
  /// - Returns: false if it was spent for another one.
  func spend(_ solution: Solution, in writer: any Writer) throws -> Bool {
    let spent = try writer.execute(
      "INSERT INTO identity_challenges (id, request_hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      solution.solved.id, solution.requestHash, solution.solved.expiresAt)
    if spent == 1 {
      writer.afterCommit { [self] in note(solution.host) }
      return true
    }
    let served: [UInt8]? = try writer.first(
      "SELECT request_hash FROM identity_challenges WHERE id = $1", solution.solved.id
    ) { $0[0] }
    return served == solution.requestHash
  }

  /// Counts a call.
  /// - Returns: whether its address calls the method more often than people do.
  func isAboveRate(_ context: ServerContext) -> Bool {
    limiter.admit(.name(context.method.path + " " + context.peer.host), .standard) != nil
  }

  func require(of context: ServerContext, for request: some MutatingRequest) async throws {
    guard let caller = context.caller else { return try await require(of: context, for: request, device: nil) }
    let device = try await kit.database.read { try IdentityPeople.device(of: caller, in: $0)?.hash }
    try await require(of: context, for: request, device: device)
  }

  /// - Parameter device: that the call has proved to come from; nil for none.
  private func require(
    of context: ServerContext, for request: some MutatingRequest, device: DeviceHash?
  ) async throws {
    guard let solution = try await solution(in: context, for: request, device: device),
      try await kit.database.write({ try self.spend(solution, in: $0) })
    else { throw Self.refusal(of: context) }
  }

  /// Of a call that is made for nobody, whoever is signed in: it comes from its address.
  func requireOfAddressAboveRate(_ context: ServerContext, for request: some MutatingRequest) async throws {
    if isAboveRate(context) { try await require(of: context, for: request, device: nil) }
  }

  static func refusal(of context: ServerContext) -> KitError { .challengeRequired(method: name(of: context.method)) }

  private static func name(of method: MethodDescriptor) -> String { String(method.path.dropFirst()) }

  private func note(_ host: String) {
    let now = kit.clock.now()
    pressure.withLock { $0.update(host, initial: ChallengePressure(now: now)) { $0.count(now: now) } }
  }

  private func subject(_ method: String, _ device: DeviceHash?, _ host: String) -> ChallengeSubject {
    ChallengeSubject(method: method, client: device.map { [1] + $0 } ?? [0] + Array(host.utf8))
  }
}

/// How much an address is to be slowed down: by the challenges that it has solved lately.
struct ChallengePressure: Sendable {
  /// After so long, half of what was counted is forgotten.
  static let halfLife = Duration.seconds(60)
  /// So many solutions cost nothing more; with each doubling the next challenges are twice as hard.
  static let free = 8

  private var solved = 0
  private var countedAt: Instant

  init(now: Instant) { countedAt = now }

  /// Counts a solution.
  mutating func count(now: Instant) {
    decay(now)
    solved += 1
  }

  /// 0 to `ChallengeSubject.greatestEffort`.
  mutating func effort(now: Instant) -> Int {
    decay(now)
    let doublings = Int.bitWidth - (solved / Self.free).leadingZeroBitCount
    return min(doublings, ChallengeSubject.greatestEffort)
  }

  private mutating func decay(_ now: Instant) {
    let halvings = (now - countedAt).inNanoseconds / Self.halfLife.inNanoseconds
    guard halvings > 0 else { return }
    solved >>= Int(min(halvings, 63))
    countedAt = countedAt + .nanoseconds(halvings * Self.halfLife.inNanoseconds)
  }
}
