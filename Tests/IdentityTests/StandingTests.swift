import Base
import DomainKit
import IdentityAPI
import PostgreSQLServer
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

/// A trail that keeps a change from committing, when told to, until another transaction waits for it or is over.
private final class Doorstep: Audit {
  private struct State {
    var awaited: String?
    var runs = 0
    var commits: [String] = []
  }

  private let state = Locked(State())
  /// Unparked when the change is let in, and has not committed.
  let isIn = ParkingSpot()

  /// From now on what is done and recorded as `action` is waited with.
  func await(_ action: String) {
    state.withLock { $0 = State(awaited: action) }
  }

  func ended() { state.withLock { $0.commits.append("end") } }

  var commits: [String] { state.withLock { $0.commits } }

  func record(_ entry: AuditEntry, in writer: any Writer) throws {
    let isWaiting = state.withLock { state in
      guard entry.action.text == state.awaited, entry.outcome == .done else { return false }
      state.runs += 1
      // Of the first run nothing comes: each body runs twice in tests.
      return state.runs > 1
    }
    guard isWaiting else { return }
    isIn.unpark()
    try writer.waitUntilWaitedFor { !commits.isEmpty }
    // Not when it is told of the commit: what waits for that may be told first. A body may run again.
    state.withLock { if !$0.commits.contains("change") { $0.commits.append("change") } }
  }
}

/// A diary, which staff alone sees.
private struct Diary: SubjectKind {
  let prefix = "diary"

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? { SubjectFacts(owner: nil) }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    caller?.roles.isStaff == true
  }
}

/// What lets a change in lasts until it has committed.
@Suite struct StandingTests {
  private static let suspend = "/octet.identity.v1.AccountService/SuspendAccount"
  private let store = SubjectID("store", Identifier(rawValue: 7))

  /// Lets a change in that is recorded as `action`, and does not let it commit before `end` waits for it or is through.
  private func race(
    _ door: Doorstep, _ action: String, _ change: @escaping @Sendable () async throws -> Void,
    _ end: @escaping @Sendable () async throws -> Void
  ) async throws {
    door.await(action)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await change() }
      group.addTask {
        try await door.isIn.park(atMost: .seconds(600))
        try await end()
        door.ended()
      }
      try await group.waitForAll()
    }
    #expect(door.commits == ["change", "end"])
  }

  /// A moderator who has another role beside, and two others.
  private func moderated(_ house: House) async throws -> (moe: LoginResponse, ada: String, eve: String) {
    let (_, moe) = try await house.signIn("moe_")
    let (_, ada) = try await house.signIn("ada")
    let (_, eve) = try await house.signIn("eve")
    let id = try Identifier.parse(moe.user?.id ?? "", kind: "user")
    let people = house.identity.people
    try await house.database.write { try people.grant("shop.courier", to: id, on: nil, in: $0) }
    try await house.identity.grantRole(handle: "moe_", role: "moderator")
    return (moe, ada.user?.id ?? "", eve.user?.id ?? "")
  }

  @Test func `invariant 2: a change that was let in commits before the end of its session, or not at all`()
    async throws
  {
    let door = Doorstep()
    let house = try await House.open(audit: { _ in door })
    let (login, ada, eve) = try await moderated(house)
    let moe = house.client(login.accessToken)
    let elsewhere = house.client(try await house.client().login("moe_").accessToken)
    try await race(door, Self.suspend) {
      try await moe.suspend(ada)
    } _: {
      _ = try await elsewhere.end(login.session?.id ?? "")
    }
    await expectRefusal(.unauthenticated, "SESSION_ENDED") { try await moe.suspend(eve) }
    await house.close()
  }

  @Test func `invariant 2: a change that was let in commits before the end of its role, or not at all`() async throws {
    let door = Doorstep()
    let house = try await House.open(audit: { _ in door })
    let (login, _, eve) = try await moderated(house)
    let people = house.identity.people
    let id = try Identifier.parse(login.user?.id ?? "", kind: "user")
    let moe = house.client(try await house.client().login("moe_").accessToken)
    try await race(door, Self.suspend) {
      try await moe.suspend(eve)
    } _: {
      try await house.database.write { try people.revoke("moderator", from: id, on: nil, in: $0) }
    }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await moe.restore(eve) }
    await house.close()
  }

  @Test func `invariant 2: nor does an owner give a role after the end of the own one`() async throws {
    let door = Doorstep()
    let house = try await House.open(audit: { _ in door })
    let people = house.identity.people
    let store = store
    let (ada, login) = try await house.signIn("ada")
    let (_, other) = try await house.signIn("eve")
    let (adaID, eveID) = (login.user?.id ?? "", other.user?.id ?? "")
    let (owner, second) = (try Identifier.parse(adaID, kind: "user"), try Identifier.parse(eveID, kind: "user"))
    try await house.database.write { writer in
      for user in [owner, second] { try people.grant("shop.owner", to: user, on: store, in: writer) }
    }
    try await race(door, "role.granted") {
      _ = try await ada.grant("shop.clerk", to: eveID, on: store.text)
    } _: {
      try await house.database.write { try people.revoke("shop.owner", from: owner, on: store, in: $0) }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.grant("shop.clerk", to: adaID, on: store.text) }
    await house.close()
  }

  @Test func `invariant 2: nor is anything changed that a role alone shows after the end of that`() async throws {
    let (door, comment) = (
      Doorstep(),
      MethodDescriptor(
        service: "test.Diaries", name: "Comment", kind: .unary, policy: MethodPolicy(access: .user, mutates: true))
    )
    let diary = SubjectID("diary", Identifier(rawValue: 4))
    let house = try await House.open(
      audit: { _ in door },
      adding: { registry, kit in
        kit.subjects.register([Diary()])
        registry.unary(comment) { (request: LogoutRequest, context) async throws -> LogoutResponse in
          let caller = try context.requireCaller()
          return try await kit.mutate(request, context) { writer in
            _ = try kit.subjects.visible(diary, to: caller, in: writer)
            return LogoutResponse()
          }
        }
      })
    let people = house.identity.people
    let (_, login) = try await house.signIn("moe_")
    let user = try Identifier.parse(login.user?.id ?? "", kind: "user")
    try await house.identity.grantRole(handle: "moe_", role: "moderator")
    let channel = house.channel(try await house.client().login("moe_").accessToken)
    @Sendable func write() async throws {
      var request = LogoutRequest()
      request.requestID = newRequestID()
      let _: LogoutResponse = try await channel.unary(comment, request)
    }
    try await race(door, comment.path) {
      try await write()
    } _: {
      try await house.database.write { try people.revoke("moderator", from: user, on: nil, in: $0) }
    }
    await expectRefusal(.notFound, "NOT_FOUND") { try await write() }
    await house.close()
  }
}
