import Base
import DomainKit
import NotifyAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Notify

@Suite struct SettingsTests {
  @Test func `a device goes with the session that it was registered in last`() async throws {
    let world = try await NotifyWorld.open()
    let (user, other) = (world.user(), world.user())
    // A user's session has the user's number here.
    try await world.registerPush(user, "https://push.example/1")
    try await world.registerPush(user, "https://push.example/2")
    try await world.registerPush(other, "https://push.example/3")
    let later = Identifier(rawValue: 7)
    try await world.database.write { [core = world.notify.core] writer in
      _ = try core.register("https://push.example/2", named: "", for: user, in: later, writer)
    }
    func devices(of user: Identifier) async throws -> Int { try await world.settings(of: user).devices.count }
    func end(_ session: Identifier) async throws {
      try await world.database.write { [sessions = world.kit.sessions] in try sessions.ended([session], in: $0) }
    }
    try await end(user)
    #expect(try await devices(of: user) == 1)
    try await end(later)
    #expect(try await devices(of: user) == 0)
    #expect(try await devices(of: other) == 1)
    await world.close()
  }

  @Test func `devices have the names that their owner gives them, and that of the session that asks is told`()
    async throws
  {
    let world = try await NotifyWorld.open()
    let (user, other) = (world.user(), world.user())
    func shown() async throws -> [String] {
      try await world.settings(of: user).devices.map { "\($0.name) \($0.current)" }
    }
    let phone = try await world.registerPush(user, "https://push.example/1", named: "Phone")
    #expect(phone.name == "Phone" && phone.current)
    try await world.registerPush(user, "https://push.example/2")
    try await world.database.write { [core = world.notify.core] writer in
      let session = Identifier(rawValue: 7)
      _ = try core.register("https://push.example/3", named: "Tablet", for: user, in: session, writer)
    }
    #expect(try await shown() == ["Phone true", " true", "Tablet false"])
    // Registered again it keeps its name, unless it gets another; it goes with this session now.
    #expect(try await world.registerPush(user, "https://push.example/3").name == "Tablet")
    #expect(try await world.registerPush(user, "https://push.example/1", named: "Old phone").id == phone.id)
    #expect(try await shown() == ["Old phone true", " true", "Tablet true"])
    // Another user's name for it is not theirs to keep.
    #expect(try await world.registerPush(other, "https://push.example/1").name == "")
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") {
      try await world.registerPush(user, "https://push.example/4", named: String(repeating: "x", count: 81))
    }
    await world.close()
  }

  @Test func `shows all kinds with their own ways until the user chooses`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let settings = try await world.settings(of: user)
    #expect(
      settings.kinds.map { "\($0.kind) \($0.channels.map(\.rawValue)) \($0.importance.rawValue)" } == [
        "account.new_device [1, 2, 3] 2", "notify.announcement [1] 1", "shop.order_sent [1, 2] 1", "shop.tip [] 1",
        "test.danger [3] 3", "test.followed [2] 1", "test.invited [2] 1",
      ])
    try await world.choose(user, NotifyWorld.order, [.mail])
    let changed = try await world.settings(of: user)
    #expect(changed.kinds[2].channels == [.mail] && changed.etag != settings.etag)
    #expect(try await world.settings(of: world.user()).kinds[2].channels == [.push, .mail])
    await world.close()
  }

  @Test func `refuses a stale etag, kinds that there are not or that are fixed, and hours without an end`() async throws
  {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let client = world.client(user)
    var request = SetChannelsRequest()
    request.etag = try await world.settings(of: user).etag
    func set(_ kind: String) async throws -> ChannelSettings {
      request.requestID = newRequestID()
      var choice = KindChannels()
      choice.kind = kind
      request.kinds = [choice]
      return try await client.setChannels(request)
    }
    await expectRefusal(.invalidArgument, "UNKNOWN_KIND") { try await set("shop.nothing") }
    await expectRefusal(.invalidArgument, "KIND_FIXED") { try await set(NotifyWorld.alarm.name) }
    request.quietHours = QuietHours()
    await expectRefusal(.invalidArgument, "BAD_QUIET_HOURS") { try await set(NotifyWorld.order.name) }
    request.kinds = [NotifyWorld.alarm.name, NotifyWorld.order.name, "shop.nothing"].map { name in
      var choice = KindChannels()
      choice.kind = name
      return choice
    }
    let fields = await badFields { [request] in try await client.setChannels(request) }
    #expect(fields == ["quiet_hours.end_minute", "kinds[0].kind", "kinds[2].kind"])
    request.quietHours = nil
    _ = try await set(NotifyWorld.order.name)
    await expectRefusal(.aborted, "ETAG_MISMATCH") { try await set(NotifyWorld.order.name) }
    await world.close()
  }

  @Test func `of two who change the settings at once one is told to read again`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let etag = try await world.settings(of: user).etag
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var request = SetChannelsRequest()
          request.requestID = newRequestID()
          request.etag = etag
          return (try? await world.client(user).setChannels(request)) != nil
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(outcomes == 1)
    await world.close()
  }

  @Test func `a device is registered once, belongs to its newest user, and can be removed`() async throws {
    let world = try await NotifyWorld.open(outbound: ScriptedOutbound())
    let user = world.user()
    let other = world.user()
    let device = try await world.registerPush(user, "https://push.example/1")
    #expect(try await world.registerPush(user, "https://push.example/1").id == device.id)
    let moved = try await world.registerPush(other, "https://push.example/1")
    #expect(try await world.settings(of: user).devices.isEmpty)
    #expect(try await world.settings(of: other).devices.map(\.id) == [moved.id])
    await expectRefusal(.invalidArgument, "PUSH_ADDRESS_REFUSED") {
      try await world.registerPush(user, "https://evil.example/1")
    }
    var request = RemovePushRequest()
    request.requestID = newRequestID()
    request.pushID = moved.id
    await expectRefusal(.notFound, "NOT_FOUND") { try await world.client(user).removePush(request) }
    _ = try await world.client(other).removePush(request)
    #expect(try await world.settings(of: other).devices.isEmpty)
    await world.close()
  }

  @Test func `of more devices than one may have the oldest goes`() async throws {
    var limits = NotifyLimits()
    #expect(limits.devices == 20)
    limits.devices = 2
    let world = try await NotifyWorld.open(limits: limits)
    let user = world.user()
    var ids: [String] = []
    for number in 1...3 { ids.append(try await world.registerPush(user, "device \(number)").id) }
    #expect(try await world.settings(of: user).devices.map(\.id) == Array(ids.dropFirst()))
    await world.close()
  }

  @Test func `addresses of devices are sealed in the database`() async throws {
    let world = try await NotifyWorld.open()
    try await world.registerPush(world.user(), "https://push.example/a-very-secret-device")
    let sealed: [UInt8]? = try await world.database.read { reader in
      try reader.first("SELECT sealed FROM notify_devices") { $0[0] }
    }
    #expect(!String(decoding: try #require(sealed), as: UTF8.self).contains("secret"))
    await world.close()
  }

  // MARK: Unsubscribe

  @Test func `the token of a mail stops mails of its kind, for nobody else and nothing else`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let other = world.user()
    try await world.registerPush(user)
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    let token = try #require(try world.letters().values.first { $0.way == "mail" }?.unsubscribeToken)
    for _ in 0..<2 {
      var request = UnsubscribeRequest()
      request.requestID = newRequestID()
      request.token = token
      #expect(try await world.client(nil).unsubscribe(request).kind == NotifyWorld.order.name)
    }
    #expect(try await world.settings(of: user).kinds[2].channels == [.push])
    #expect(try await world.settings(of: user).kinds[0].channels.contains(.mail))
    #expect(try await world.settings(of: other).kinds[2].channels == [.push, .mail])
    await world.close()
  }

  @Test func `invariant 6: the token of a mail to somebody who has been erased since leaves nothing of them`()
    async throws
  {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let records = try #require(world.notify.personalRecords)
    world.people.erase(user)
    while try await world.database.write({ try records.erase(user, in: $0) }) {}
    var request = UnsubscribeRequest()
    request.requestID = newRequestID()
    request.token = UnsubscribeToken(user: user, kind: NotifyWorld.order.name).text(
      key: world.notify.core.unsubscribeKey)
    #expect(try await world.client(nil).unsubscribe(request).kind == NotifyWorld.order.name)
    for table in ["notify_users", "notify_choices"] {
      #expect(try await world.count("SELECT COUNT(*) FROM \(table)") == 0, "\(table)")
    }
    #expect(try await world.notify.checkInvariants().allSatisfy(\.holds))
    await world.close()
  }

  @Test func `a token that was changed, cut or made elsewhere is refused`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user()
    let key = world.notify.core.unsubscribeKey
    let token = UnsubscribeToken(user: user, kind: NotifyWorld.order.name).text(key: key)
    #expect(UnsubscribeToken(token, key: key) == UnsubscribeToken(user: user, kind: NotifyWorld.order.name))
    #expect(!token.contains("@") && UnsubscribeToken(token, key: world.notify.core.deviceKey) == nil)
    for length in 0..<token.utf8.count { #expect(UnsubscribeToken(String(token.prefix(length)), key: key) == nil) }
    let otherEnd = token.hasSuffix("AA") ? "BA" : "AA"
    for forged in ["ou1..", token + "A", token.dropLast(2) + otherEnd, "or1" + token.dropFirst(3)] {
      var request = UnsubscribeRequest()
      request.requestID = newRequestID()
      request.token = forged
      await expectRefusal(.invalidArgument, "BAD_UNSUBSCRIBE_TOKEN") {
        try await world.client(nil).unsubscribe(request)
      }
    }
    await world.close()
  }
}

@Test func `the error table is as documented`() {
  let table = NotifyError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" }
  #expect(
    table == [
      "UNKNOWN_KIND INVALID_ARGUMENT", "KIND_FIXED INVALID_ARGUMENT", "BAD_QUIET_HOURS INVALID_ARGUMENT",
      "PUSH_ADDRESS_REFUSED INVALID_ARGUMENT", "BAD_UNSUBSCRIBE_TOKEN INVALID_ARGUMENT",
      "BAD_TEMPLATE INVALID_ARGUMENT", "NO_ENGLISH_TEXT INVALID_ARGUMENT", "INVALID_REQUEST INVALID_ARGUMENT",
    ])
}
