import Base
import Testing

@testable import Storage

/// What a kind has done when one of its jobs is given up may fail. That is tried again, and no other kind waits for it.
@Suite struct GivingUpConformance {
  private struct Failure: Error {}
  private struct Stubbornness: Error {}

  /// How all attempts of the job have ended before it is to be given up.
  enum End: CaseIterable {
    case failure
    /// Each took its process with it.
    case silence
  }

  /// What is wrong with what is to be done when it is given up.
  enum Fault: CaseIterable {
    case itsOwn
    /// The same as if the database were to blame.
    case excused

    var error: any Error {
      switch self {
      case .itsOwn: Stubbornness()
      case .excused: StorageError(.unavailable, operation: "step", message: "gone")
      }
    }
  }

  private static let policy = {
    var policy = RetryPolicy()
    policy.attempts = 2
    return policy
  }()

  /// A job of kind `film` whose attempts are used up, on a node that may or may not give it up.
  private static func withUsedUp(
    _ engine: Engine, _ end: End, _ fault: Locked<Fault?>, _ body: (JobConformance.House) async throws -> Void
  ) async throws {
    try await JobConformance.withHouse(engine) { house in
      func register(_ timers: Timers) {
        timers.work(
          "film", policy: policy,
          givenUp: { writer, timer in
            try JobConformance.note("given up \(timer.key), attempt \(timer.attempt)")(writer)
            if let fault = fault.withLock({ $0 }) { throw fault.error }
          }, { _ in throw Failure() })
      }
      register(house.timers)
      house.timers.handle("note") { writer, timer in try JobConformance.note(timer.key)(writer) }
      try await house.set("film", "a")
      for attempt in 0..<policy.attempts {
        switch end {
        case .failure: try await house.timers.runDue()
        case .silence:
          let node = house.node(UInt64(attempt))
          register(node)
          #expect(try await node.lease().map(\.attempt) == [attempt + 1])
        }
        house.clock.advance(by: .seconds(60))
      }
      try await body(house)
    }
  }

  @Test(arguments: Engine.all, End.allCases)
  func `what cannot be given up keeps no kind waiting, and is given up once when it can be`(
    engine: Engine, end: End
  ) async throws {
    for kind in Fault.allCases {
      let fault = Locked<Fault?>(kind)
      try await Self.withUsedUp(engine, end, fault) { house in
        for n in 0..<5 {
          try await house.set("note", "\(n)")
          #expect(try await house.timers.runDue() == 1)
          let status = try #require(try await house.status("film", "a"))
          #expect(!status.isRunning && status.attempts >= Self.policy.attempts)
          house.clock.advance(by: .seconds(3600))
        }
        #expect(try await house.database.read { try house.timers.dead(limit: 1, in: $0) }.isEmpty)
        fault.withLock { $0 = nil }
        for _ in 0..<2 { #expect(try await house.timers.runDue() == 0) }
        let dead = try await house.database.read { try house.timers.dead(limit: 9, in: $0) }
        let words = end == .failure ? "Failure()" : "no attempt came to an end"
        #expect(dead.map { "\($0.key) \($0.attempts) \($0.error)" } == ["a 2 \(words)"])
        #expect(try await house.notes() == ["0", "1", "2", "3", "4", "given up a, attempt 2"])
      }
    }
  }

  @Test(arguments: Engine.all) func `longer and longer is waited for the next try, and the audit names the job`(
    engine: Engine
  ) async throws {
    let fault = Locked<Fault?>(.itsOwn)
    try await Self.withUsedUp(engine, .failure, fault) { house in
      var waits: [Duration] = []
      for _ in 0..<5 {
        try await house.timers.runDue()
        let (due, endless) = try await house.database.read { reader in
          (try house.timers.live("film", "a", in: reader)?.due, try house.timers.endless(limit: 9, in: reader))
        }
        waits.append(try #require(due) - house.clock.now())
        #expect(endless == ["film a"])
        house.clock.advance(by: .seconds(3600))
      }
      #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 < $1 } && waits.allSatisfy { $0 > .zero })
    }
  }

  @Test(arguments: Engine.all) func `what was set anew while it could not be given up is not given up`(
    engine: Engine
  ) async throws {
    let fault = Locked<Fault?>(.itsOwn)
    try await Self.withUsedUp(engine, .silence, fault) { house in
      try await house.timers.runDue()
      fault.withLock { $0 = nil }
      house.clock.advance(by: .seconds(3600))
      let leased = try await house.timers.lease()
      try await house.set("film", "a")
      for timer in leased { _ = await house.timers.run(timer) }
      #expect(try await house.notes() == [])
      #expect(try await house.status("film", "a")?.attempts == 0)
    }
  }
}
