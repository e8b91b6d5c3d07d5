public import Base
public import ProtobufRuntime
public import RPC

/// Asks for puzzles to be solved, so that what is cheap for one person is dear for a machine that does it a million
/// times. The identity domain implements it; a page that must be kept from machines asks in front of its own work.
public protocol Challenges: Sendable {
  /// Lets a call pass that carries the solution of a challenge for its method, and for the device of its caller's session or
  /// else its network address, in the metadata `octet-challenge`. A solution serves one request; a repeat of that request
  /// passes with it again. Outside of any transaction, before the one that does the work.
  /// - Throws: `KitError.challengeRequired`.
  func require(of context: ServerContext, for request: some MutatingRequest) async throws
}

/// A sort of puzzle: how one is made, and how an answer is judged. `Challenges` sees to it that an answer serves once.
///
/// The built-in one is a proof of work; another program can put one in its place that shows people pictures.
public protocol ChallengeHook: Sendable {
  /// Makes a puzzle.
  /// - Parameter effort: 0 to 6: how much this client has to be slowed down. Each step is about twice the work.
  func issue(for subject: ChallengeSubject, effort: Int, expiresAt: Instant) async throws -> IssuedChallenge

  /// Judges an answer.
  /// - Returns: the puzzle that it solves; nil if it solves none that was made for the subject and has not expired.
  func check(_ answer: String, for subject: ChallengeSubject, now: Instant) async throws -> SolvedChallenge?
}

/// What a challenge is bound to.
public struct ChallengeSubject: Sendable, Equatable {
  /// The greatest effort that is asked for.
  public static let greatestEffort = 6

  /// `octet.identity.v1.SessionService/Login`.
  public let method: String
  /// What the device is known by, or the host of one that is not known.
  public let client: [UInt8]

  public init(method: String, client: [UInt8]) {
    self.method = method
    self.client = client
  }
}

/// A puzzle as its solver is told.
public struct IssuedChallenge: Sendable, Equatable {
  /// What kind of puzzle it is, such as `sha256`.
  public let algorithm: String
  public let token: String
  /// What the solution's hash must begin with; 0 for puzzles of another kind.
  public let zeroBits: Int
  public let expiresAt: Instant

  public init(algorithm: String, token: String, zeroBits: Int, expiresAt: Instant) {
    self.algorithm = algorithm
    self.token = token
    self.zeroBits = zeroBits
    self.expiresAt = expiresAt
  }
}

/// A puzzle that was solved.
public struct SolvedChallenge: Sendable, Equatable {
  /// Which one: its solutions serve once, all together.
  public let id: [UInt8]
  public let expiresAt: Instant

  public init(id: [UInt8], expiresAt: Instant) {
    self.id = id
    self.expiresAt = expiresAt
  }
}
