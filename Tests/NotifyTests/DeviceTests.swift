import Base
import DomainKit
import NotifyAPI
import Refusals
import Storage
import Testing

@testable import Notify

/// A notice by push, whose user has several devices that do not answer alike.
@Suite struct DeviceTests {
  /// A user with two devices and a notice for them.
  private struct Scene {
    static let devices = ["https://push.example/first", "https://push.example/second"]

    let world: NotifyWorld
    let user: Identifier
    let outbound: ScriptedOutbound
    let ids: [String]

    init(_ answers: [SendOutcome]) async throws {
      outbound = ScriptedOutbound(answers)
      world = try await NotifyWorld.open(outbound: outbound)
      user = world.user([:])
      var ids: [String] = []
      for device in Self.devices { ids.append(try await world.registerPush(user, device).id) }
      self.ids = ids
      try await world.tell(user, key: "1")
    }

    /// What the delivery says: its state, its tries and its reason.
    func delivery() async throws -> String {
      let deliveries = try await world.deliveries(of: user)
      #expect(deliveries.count == 1)
      return deliveries.map { "\($0.state.protoName.dropFirst("DELIVERY_STATE_".count)) \($0.tries) \($0.reason)" }[0]
    }

    /// How many letters went to each of the devices.
    var letters: [Int] { Self.devices.map { device in outbound.sent.count { $0.address == device } } }

    /// Lets as many tries go as there may be.
    func tryOn() async throws {
      let limits = NotifyLimits()
      for tries in 1...limits.tries { try await world.advance(by: limits.wait(after: tries) * 2) }
    }
  }

  private static let silence = SendOutcome.retry("no answer")

  @Test(arguments: [0, 1]) func `a device that has a notice gets it once, however often another is tried`(
    first: Int
  ) async throws {
    let tries = Int(NotifyLimits().tries)
    var answers = Array(repeating: Self.silence, count: tries)
    answers.insert(.accepted, at: first)
    let scene = try await Scene(answers)
    try await scene.world.timers.runDue()
    #expect(try await scene.delivery() == "QUEUED 1 no answer")
    try await scene.tryOn()
    #expect(scene.letters == (first == 0 ? [1, tries] : [tries, 1]))
    #expect(try await scene.delivery() == "SENT \(tries) ", "a device has it")
    await scene.world.close()
  }

  @Test func `a device that refuses a notice is asked once, and without another one the delivery has failed`()
    async throws
  {
    let tries = Int(NotifyLimits().tries)
    let scene = try await Scene([.refused("bad key")] + Array(repeating: Self.silence, count: tries))
    try await scene.world.timers.runDue()
    try await scene.tryOn()
    #expect(scene.letters == [1, tries])
    #expect(try await scene.delivery() == "FAILED \(tries) no answer")
    await scene.world.close()
  }

  @Test func `one device refuses and the other takes it at last: it is sent`() async throws {
    let scene = try await Scene([.refused("bad key"), Self.silence])
    try await scene.world.timers.runDue()
    try await scene.tryOn()
    #expect(scene.letters == [1, 2])
    #expect(try await scene.delivery() == "SENT 1 ")
    await scene.world.close()
  }

  @Test func `a worker that dies between two devices sends again only what it had no answer to`() async throws {
    let scene = try await Scene([])
    // As if it had died: its lease is over by the time it has the second answer.
    scene.outbound.during(letter: 2) { [clock = scene.world.clock] in clock.advance(by: .seconds(3600)) }
    try await scene.world.timers.runDue()
    #expect(scene.letters == [1, 2])
    #expect(Set(scene.outbound.sent.map(\.key)).count == 2, "the same letter has the same key")
    #expect(try await scene.delivery() == "SENT 0 ")
    await scene.world.close()
  }

  @Test func `a device that is gone is forgotten, though the worker dies with the next one`() async throws {
    let scene = try await Scene([.gone("410")])
    scene.outbound.during(letter: 2) { [clock = scene.world.clock] in clock.advance(by: .seconds(3600)) }
    try await scene.world.timers.runDue()
    #expect(scene.letters == [1, 2])
    #expect(try await scene.world.settings(of: scene.user).devices.map(\.id) == [scene.ids[1]])
    #expect(try await scene.delivery() == "SENT 0 ")
    await scene.world.close()
  }

  @Test(arguments: [false, true]) func `what keeps a notice from the other device leaves it sent to the one`(
    isRemoved: Bool
  ) async throws {
    let scene = try await Scene([.accepted, Self.silence])
    try await scene.world.timers.runDue()
    if isRemoved {
      var request = RemovePushRequest()
      request.requestID = newRequestID()
      request.pushID = scene.ids[1]
      _ = try await scene.world.client(scene.user).removePush(request)
    } else {
      try await scene.world.choose(scene.user, NotifyWorld.order, [])
    }
    try await scene.tryOn()
    #expect(scene.letters == [1, 1])
    #expect(try await scene.delivery() == "SENT 1 ")
    await scene.world.close()
  }
}
