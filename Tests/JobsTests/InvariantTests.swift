import Base
import DomainKit
import Testing

@testable import Jobs
@testable import Storage

@Suite struct InvariantTests {
  private struct Broken: Error {}

  /// Invariant 10, as far as rows can show it.
  @Test func `the audit names jobs that can come to no end`() async throws {
    let room = try await Workroom()
    room.timers.handle("mail") { _, _ in throw Broken() }
    try await room.set("mail", "1", "2")
    try await room.set("mail", "later", after: .seconds(3600))
    func violations() async throws -> [String] {
      let checks = try await room.jobs.checkInvariants()
      #expect(checks.map(\.number) == [10] && checks[0].rowsChecked >= 3)
      return checks[0].violations
    }
    #expect(try await violations() == [])
    // Through all attempts, and while a worker has them.
    for _ in 0..<RetryPolicy().attempts - 1 {
      _ = try await room.timers.lease()
      #expect(try await violations() == [])
      room.clock.advance(by: .seconds(61))
    }
    for damage in [
      "attempts = 6", "attempts = -1", "attempts = 0, is_leased = 1", "is_leased = 1, due = due + 3600000000000",
    ] {
      let before: Int64? = try await room.database.read {
        try $0.first("SELECT due FROM octet_timers WHERE key = '2'") { $0[0] }
      }
      _ = try await room.database.write { try $0.execute("UPDATE octet_timers SET \(damage) WHERE key = '2'") }
      #expect(try await violations() == ["mail 2"], "\(damage)")
      _ = try await room.database.write {
        try $0.execute("UPDATE octet_timers SET attempts = 1, is_leased = 0, due = $1 WHERE key = '2'", before ?? 0)
      }
    }
    #expect(try await violations() == [])
    try await room.set("nobodys", "3")
    #expect(try await violations() == ["nobodys 3"])
    await room.database.close()
  }
}
