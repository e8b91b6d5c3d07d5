import Base
import DomainKit
import NotifyAPI
import RPC
import Storage
import Testing

@testable import Notify

@Suite struct QuietHoursTests {
  private static let zones = TimeZones()
  // 2026-03-29T01:00:00Z the clocks of Helsinki go from 03:00 to 04:00, 2026-10-25T01:00:00Z from 04:00 to 03:00.
  private static let spring = Instant(seconds: 1_774_746_000)
  private static let autumn = Instant(seconds: 1_792_890_000)

  @Test func `end at the zone's minute, on the same day or the next`() throws {
    let helsinki = try #require(Self.zones.table("Europe/Helsinki"))
    // 2026-01-01T00:00Z is 02:00 there.
    let now = Instant(seconds: 1_767_225_600)
    #expect(QuietTime(start: 60, end: 180).end(after: now, in: helsinki) == now + .seconds(3600))
    #expect(QuietTime(start: 1320, end: 420).end(after: now, in: helsinki) == now + .seconds(5 * 3600))
    #expect(QuietTime(start: 180, end: 420).end(after: now, in: helsinki) == nil)
    #expect(QuietTime(start: 60, end: 120).end(after: now, in: helsinki) == nil, "the end is not quiet any more")
    #expect(QuietTime(start: 120, end: 121).end(after: now + .seconds(59), in: helsinki) == now + .seconds(60))
  }

  @Test func `follow the zone across its clock changes`() throws {
    let helsinki = try #require(Self.zones.table("Europe/Helsinki"))
    // From 22:00 to 07:00: one hour shorter in spring, one longer in autumn.
    let night = QuietTime(start: 1320, end: 420)
    #expect(night.end(after: Self.spring - .seconds(5 * 3600), in: helsinki) == Self.spring + .seconds(3 * 3600))
    #expect(night.end(after: Self.autumn - .seconds(6 * 3600), in: helsinki) == Self.autumn + .seconds(4 * 3600))
    // An end that the clock jumps over is at the jump.
    #expect(QuietTime(start: 60, end: 210).end(after: Self.spring - .seconds(60), in: helsinki) == Self.spring)
    // One that it shows twice is at the first time.
    #expect(
      QuietTime(start: 60, end: 210).end(after: Self.autumn - .seconds(3600), in: helsinki)
        == Self.autumn - .seconds(1800))
  }

  @Test func `acceptance 9: across a clock change push waits for the zone's instant`() async throws {
    let world = try await NotifyWorld.open(start: Self.spring - .seconds(3 * 3600))
    let user = world.user()
    try await world.registerPush(user)
    try await world.setQuietHours(user, from: 1320, to: 420, zone: "Europe/Helsinki")
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    #expect(try world.letters().values.map(\.way) == ["mail"], "mail does not wait")
    let waiting = try #require(try await world.deliveries(of: user).first { $0.channel == .push })
    #expect(waiting.state == .deferred && waiting.reason == "QUIET_HOURS")
    #expect(waiting.dueTime.flatMap { Instant($0) } == Self.spring + .seconds(3 * 3600), "07:00 summer time is 04:00Z")
    try await world.advance(by: .seconds(6 * 3600 - 1))
    #expect(try world.letters().count == 1)
    try await world.advance(by: .seconds(1))
    #expect(try world.letters().count == 2)
    #expect(try await world.deliveries(of: user).allSatisfy { $0.state == .sent })
    await world.close()
  }

  @Test func `what was read meanwhile is not sent any more`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user([:])
    try await world.registerPush(user)
    try await world.setQuietHours(user, from: 0, to: 60, zone: "UTC")
    try await world.tell(user, key: "1")
    try await world.tell(user, key: "2")
    _ = try await world.markRead(user, 1)
    try await world.advance(by: .seconds(3600))
    #expect(try world.letters().count == 1)
    #expect(try await world.deliveries(of: user).map(\.reason) == ["", "READ"])
    await world.close()
  }

  @Test func `what is urgent does not wait; hours that were moved count from where they are`() async throws {
    let world = try await NotifyWorld.open()
    let user = world.user([.phone: "+358401234567"])
    try await world.registerPush(user)
    try await world.setQuietHours(user, from: 0, to: 60, zone: "UTC")
    try await world.tell(user, NotifyWorld.alarm, key: "1")
    try await world.timers.runDue()
    #expect(Set(try world.letters().values.map(\.way)) == ["push", "sms"])
    try await world.tell(user, key: "2")
    try await world.setQuietHours(user, from: 0, to: 120, zone: "UTC")
    try await world.advance(by: .seconds(3600))
    #expect(try world.letters().count == 2)
    #expect(try await world.deliveries(of: user).first?.state == .deferred)
    try await world.advance(by: .seconds(3600))
    #expect(try world.letters().count == 3)
    await world.close()
  }

  @Test func `another try that falls into quiet hours waits as well`() async throws {
    let outbound = ScriptedOutbound([.retry("busy")])
    let world = try await NotifyWorld.open(outbound: outbound, start: Instant(seconds: 1_767_225_600 - 10))
    let user = world.user([:])
    try await world.registerPush(user)
    try await world.setQuietHours(user, from: 0, to: 60, zone: "UTC")
    try await world.tell(user, key: "1")
    try await world.timers.runDue()
    try await world.advance(by: .seconds(60))
    #expect(try await world.deliveries(of: user).map(\.state) == [.deferred])
    #expect(outbound.sent.count == 1)
    try await world.advance(by: .seconds(3600))
    #expect(outbound.sent.count == 2)
    await world.close()
  }
}
