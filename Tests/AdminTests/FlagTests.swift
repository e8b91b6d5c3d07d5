import AdminAPI
import Base
import DomainKit
import RPC
import Refusals
import Storage
import Testing

@testable import Admin

@Suite struct FlagTests {
  private static let (ada, bob) = (Identifier(rawValue: 11), Identifier(rawValue: 12))

  @Test func `the first rule that matches decides, then what was put, then the default`() async throws {
    let world = try await AdminWorld()
    let flags = world.admin.flags
    let subject = FlagSubject(user: Self.ada, region: nil)
    #expect(flags.value(of: Pizza.slices, for: subject) == 8)
    let put = try await world.put(
      Pizza.slices.name, .integer(6),
      rules: [
        FlagRule(.integer(1), users: [Self.ada], role: "ops"), FlagRule(.integer(2), users: [Self.ada]),
        FlagRule(.integer(3), role: "pizza.ops"), FlagRule(.integer(4), region: "IT"),
        FlagRule(.integer(5), share: 10_000),
      ])
    #expect(put.etag == "1" && put.defaultValue?.typed == .integer(8) && put.putTime != nil)
    let staff = RoleSet([RoleGrant(role: "ops")])
    let cases: [(FlagSubject, Int64)] = [
      (FlagSubject(user: Self.ada, roles: staff, region: nil), 1), (subject, 2),
      (FlagSubject(user: Self.bob, roles: staff, region: nil), 3),
      (FlagSubject(user: Self.bob, region: "IT"), 4), (FlagSubject(user: nil, region: "IT"), 4),
      (FlagSubject(user: Self.bob, region: "FI"), 5), (FlagSubject(user: nil, region: nil), 6),
    ]
    for (subject, value) in cases { #expect(flags.value(of: Pizza.slices, for: subject) == value) }
    // A rule that names nothing matches everybody; without a value the default is left.
    try await world.put(Pizza.topping.name, rules: [FlagRule(.text("ham"), users: [Self.ada])])
    #expect(flags.value(of: Pizza.topping, for: subject) == "ham")
    #expect(flags.value(of: Pizza.topping, for: FlagSubject(user: Self.bob, region: nil)) == "cheese")
    try await world.put(Pizza.isOpen.name, rules: [FlagRule(.boolean(true))])
    #expect(flags.value(of: Pizza.isOpen, for: FlagSubject(nil, region: nil)))
    await world.database.close()
  }

  @Test func `a share takes so many users, the same ones each time, and a greater share those of a smaller one`() {
    let users = (1...10_000).map { Identifier(rawValue: $0 << 22) }
    func taken(_ share: Int32, _ flag: String) -> Set<Identifier> {
      var content = AdminAPI.Flag()
      content.rules = [FlagRule(.boolean(true), share: share)]
      let compiled = CompiledFlag(name: flag, version: 1, content: content)
      return Set(users.filter { compiled.value(for: FlagSubject(user: $0, region: nil)) == .boolean(true) })
    }
    let (none, some, more, all) = (taken(0, "a.b"), taken(1_000, "a.b"), taken(3_000, "a.b"), taken(10_000, "a.b"))
    #expect(none.isEmpty && all.count == users.count)
    // Six standard deviations of the binomial distribution.
    #expect((820...1_180).contains(some.count) && (2_725...3_275).contains(more.count))
    #expect(some.isSubset(of: more) && some == taken(1_000, "a.b"))
    // Another flag takes others: a tenth of a tenth are the same.
    #expect((40...160).contains(some.intersection(taken(1_000, "a.c")).count))
    #expect(CompiledFlag.place(of: Identifier(rawValue: 1), flag: "pizza.is_open") == 2469)
  }

  @Test func `what does not fit the flag is refused with every field, and an unknown flag is not found`() async throws {
    let world = try await AdminWorld()
    await expectRefusal(.notFound, "NOT_FOUND") { try await world.put("pizza.size", .integer(1)) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") {
      try await world.put(Pizza.isOpen.name, .boolean(true), as: AdminWorld.stranger)
    }
    let fields = await badFields {
      try await world.put(
        Pizza.slices.name, .boolean(true),
        rules: [
          FlagRule(.text("8")), FlagRule(.integer(8)), FlagRule(.integer(8), region: "fi"),
          FlagRule(.integer(8), role: "pizza.oops"),
        ])
    }
    #expect(fields == ["value", "rules[0].value", "rules[2].region_code", "rules[3].role"])
    await expectRefusal(.invalidArgument, "UNKNOWN_ROLE") {
      try await world.put(Pizza.slices.name, rules: [FlagRule(.integer(8), role: "pizza.oops")])
    }
    let ofSwitch = await badFields {
      try await world.put(
        AdminWorld.estimate, .integer(0),
        rules: [FlagRule(.boolean(false), region: "FI"), FlagRule(.boolean(false), region: "F")])
    }
    #expect(ofSwitch == ["value", "rules[1].region_code"])
    for needed in FlagCatalog.alwaysOn.sorted() {
      #expect(await badFields { try await world.put(needed, .boolean(false)) } == ["name"])
    }
    // Refusals of staff are on record; a stranger's waits for the audit.
    #expect(world.trail.done.isEmpty)
    #expect(world.trail.refusals.first == "NOT_FOUND" && world.trail.refusals.count == 4 + FlagCatalog.alwaysOn.count)
    await world.database.close()
  }

  @Test func `of two who put a flag at once one is told, and a repeat changes nothing`() async throws {
    let world = try await AdminWorld()
    let refusals = await withTaskGroup(of: Refusal?.self) { group in
      for number in 1...8 {
        group.addTask { await refusal { try await world.put(Pizza.slices.name, .integer(Int64(number))) } }
      }
      return await group.reduce(into: [Refusal?]()) { $0.append($1) }
    }
    #expect(refusals.filter { $0 == nil }.count == 1)
    #expect(refusals.compactMap { $0 } == Array(repeating: Refusal(.aborted, "ETAG_MISMATCH"), count: 7))
    let id = newRequestID()
    let second = try await world.put(Pizza.slices.name, .integer(3), etag: "1", requestID: id)
    #expect(try await world.put(Pizza.slices.name, .integer(3), etag: "1", requestID: id) == second)
    #expect(second.etag == "2")
    #expect(world.trail.done.map(\.action.text) == ["flag.put", "flag.put"])
    #expect(world.trail.refusals == Array(repeating: "ETAG_MISMATCH", count: 7))
    #expect(world.trail.done.last?.facts == [.setting(Pizza.slices.name), .count(2)])
    #expect(world.admin.flags.value(of: Pizza.slices, for: FlagSubject(nil, region: nil)) == 3)
    await world.database.close()
  }

  @Test func `flags and methods are listed by name, page by page`() async throws {
    let world = try await AdminWorld()
    try await world.put(Pizza.slices.name, .integer(6))
    var request = ListFlagsRequest()
    request.pageSize = 4
    var flags: [AdminAPI.Flag] = []
    repeat {
      let page = try await world.client().listFlags(request)
      flags += page.flags
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    let own = AdminServiceMethods.all.map { "octet.admin.v1.AdminService/\($0.name)" }.sorted()
    let methods = own + AdminWorld.waysIn
    #expect(flags.map(\.name) == methods + ["pizza.is_open", "pizza.slices", "pizza.topping"])
    #expect(flags.map(\.etag) == methods.map { _ in "" } + ["", "1", ""])
    request = ListFlagsRequest()
    (request.prefix, request.onlyPut) = ("pizza.", true)
    #expect(try await world.client().listFlags(request).flags == [flags[flags.count - 2]])
    await world.database.close()
  }

  @Test func `a watch tells what was put and what is put, and goes on after its token`() async throws {
    let world = try await AdminWorld()
    try await world.put(Pizza.slices.name, .integer(6))
    let call = world.client().watchFlags(WatchFlagsRequest())
    let first = try #require(try await call.responses.next())
    guard case .snapshot(let list) = first.event else {
      Issue.record("no snapshot")
      return
    }
    #expect(list.flags.map(\.name) == [Pizza.slices.name])
    let put = try await world.put(Pizza.isOpen.name, .boolean(true))
    let second = try #require(try await call.responses.next())
    #expect(second.event == .change(put))
    call.cancel()
    let missed = try await world.put(Pizza.topping.name, .text("ham"))
    var request = WatchFlagsRequest()
    request.resumeToken = second.resumeToken
    let resumed = world.client().watchFlags(request)
    #expect(try await resumed.responses.next()?.event == .change(missed))
    resumed.cancel()
    await world.database.close()
  }
}

@Suite struct MethodSwitchTests {
  @Test func `a method that is off is refused in memory, for whom its rules say`() async throws {
    let world = try await AdminWorld()
    var request = EstimateCapacityRequest()
    (request.actors, request.nodeReadsPerSecond, request.nodeWritesPerSecond) = (1, 1, 1)
    let estimate = { [request] (user: Identifier?) in
      await refusal { try await world.client(user).estimateCapacity(request) }
    }
    #expect(await estimate(nil) == nil)
    try await world.put(AdminWorld.estimate, .boolean(false), rules: [FlagRule(.boolean(true), role: "ops")])
    let off = Refusal(.unavailable, "METHOD_OFF")
    #expect(await estimate(nil) == off)
    #expect(await estimate(AdminWorld.stranger) == off)
    #expect(await estimate(AdminWorld.staff) == nil)
    try await world.put(AdminWorld.estimate, .boolean(true), etag: "1")
    #expect(await estimate(nil) == nil)
    try await world.put("octet.admin.v1.AdminService/ListFlags", .boolean(false))
    // Nobody reads: there is nothing to read from any more.
    await world.database.close()
    let list = { (user: Identifier) in await refusal { try await world.client(user).listFlags(ListFlagsRequest()) } }
    #expect(await list(AdminWorld.staff) == off)
    #expect(await list(AdminWorld.stranger) == Refusal(.permissionDenied, "PERMISSION_DENIED"))
  }

  @Test func `the switch of a method obeys rules by user, role, country and share, the first that matches`()
    async throws
  {
    let world = try await AdminWorld()
    let (ada, bob, eve) = (Identifier(rawValue: 11), Identifier(rawValue: 12), Identifier(rawValue: 13))
    world.regions.withLock { $0 = [ada: "IT", bob: "IT", AdminWorld.staff: "IT", eve: "FI"] }
    var request = EstimateCapacityRequest()
    (request.actors, request.nodeReadsPerSecond, request.nodeWritesPerSecond) = (1, 1, 1)
    let estimate = { [request] (user: Identifier?) in
      await refusal { try await world.client(user).estimateCapacity(request) }
    }
    try await world.put(
      AdminWorld.estimate, .boolean(true),
      rules: [
        FlagRule(.boolean(true), users: [bob]), FlagRule(.boolean(true), role: "ops", region: "IT"),
        FlagRule(.boolean(false), region: "IT"), FlagRule(.boolean(false), region: "FI", share: 0),
      ])
    let off = Refusal(.unavailable, "METHOD_OFF")
    #expect(await estimate(ada) == off)
    for user in [bob, eve, AdminWorld.staff, AdminWorld.stranger, nil] { #expect(await estimate(user) == nil) }
    // Who moves is judged by where they live now.
    world.regions.withLock { ($0[ada], $0[eve]) = ("FI", "IT") }
    #expect(await estimate(ada) == nil)
    #expect(await estimate(eve) == off)
    try await world.put(
      AdminWorld.estimate, .boolean(true), rules: [FlagRule(.boolean(false), region: "FI", share: 10_000)], etag: "1")
    #expect(await estimate(ada) == off)
    #expect(await estimate(eve) == nil)
    // A look costs no second call of the caller's rate.
    let client = world.client(ada, rate: Rate(perSecond: 1, burst: 2))
    for expected in [off, off, Refusal(.resourceExhausted, "RATE_LIMITED")] {
      #expect(await refusal { try await client.estimateCapacity(request) } == expected)
    }
    await world.database.close()
  }

  @Test(.timeLimit(.minutes(60)))
  func `a look at what other nodes have put that fails is told`() async throws {
    let world = try await AdminWorld()
    let (failures, told) = AsyncStream.makeStream(of: String.self)
    let other = try world.process(2) { what, _ in told.yield(what) }
    try await other.start()
    await world.database.close()
    #expect(await failures.first { _ in true } == "flags")
    await other.stop()
  }

  @Test func `another node knows within its interval, also one that starts later, and keeps the newest`() async throws {
    #expect(AdminDomain.catchUpInterval <= .seconds(1))
    let world = try await AdminWorld()
    let other = AdminWorld.node(world.kit)
    try await other.start()
    let method = AdminServiceMethods.estimateCapacity
    #expect(other.switches.isOnAtOnce(method, for: nil) == true)
    try await world.put(AdminWorld.estimate, .boolean(false))
    let moment = ParkingSpot()
    while other.switches.isOnAtOnce(method, for: nil) == true { try await moment.park(atMost: .milliseconds(5)) }
    await expectRefusal(.unavailable, "METHOD_OFF") {
      try await world.client(nil, of: other).estimateCapacity(EstimateCapacityRequest())
    }
    await other.stop()
    // What was put hours ago is known to one that starts now; an older version that was read late does not come back.
    world.clock.advance(by: .seconds(7200))
    let late = AdminWorld.node(world.kit)
    try await late.board.catchUp()
    #expect(late.switches.isOnAtOnce(method, for: nil) == false)
    let old = try #require(try await world.database.read { try FlagRow.all(in: $0) }.first)
    try await world.put(AdminWorld.estimate, .boolean(true), etag: "1")
    try await late.board.catchUp()
    late.board.take(old.compiled)
    #expect(late.switches.isOnAtOnce(method, for: nil) == true)
    // Nor does it matter how far behind the clock is by which it was put.
    let behind = FlagRow(name: old.name, version: 3, content: old.content, putAt: old.putAt)
    #expect(try await world.database.write { try behind.replace(in: $0) })
    try await late.board.catchUp()
    #expect(late.switches.isOnAtOnce(method, for: nil) == false)
    await world.database.close()
  }
}
