import Base
import Streaming
import Testing

@testable import NATS

@Suite(.timeLimit(.minutes(60)))
struct NATSBusTests {
  let random = SeededRandomSource(seed: 1)

  /// A bus that is connected, and an inbox for what comes in on `subject`.
  private func listen(_ url: String, _ subject: String) async throws -> (NATSBus, Inbox, BusSubscription) {
    let bus = try NATSBus(url: url, name: "test", random: random, limits: .hasty)
    try await bus.connected()
    let confirmed = ParkingSpot()
    let inbox = Inbox()
    let registration = bus.onInterruption { confirmed.unpark() }
    let subscription = bus.subscribe(subject) { inbox.put($0) }
    try await confirmed.park()
    withExtendedLifetime(registration) {}
    return (bus, inbox, subscription)
  }

  @Test func `carries messages of any bytes to other clients, in order, and not back`() async throws {
    let server = try await NATSServer()
    let (left, atLeft, leftSubscription) = try await listen(server.url, "a")
    let (right, atRight, rightSubscription) = try await listen(server.url, "a")
    let messages = (0..<200).map { random.bytes($0 * 37) } + [[], random.bytes(NATSLimits().messageBytes)]
    for message in messages { left.publish("a", message) }
    for message in messages { #expect(try await atRight.take() == message) }
    right.publish("b", [1])
    right.publish("a", [2])
    #expect(try await atLeft.take() == [2])
    withExtendedLifetime((leftSubscription, rightSubscription)) {}
    left.close()
    right.close()
    try await server.kill()
  }

  @Test func `drops and counts what is longer than a message may be`() async throws {
    let server = try await NATSServer()
    let bus = try NATSBus(url: server.url)
    try await bus.connected()
    bus.publish("a", [UInt8](repeating: 0, count: NATSLimits().messageBytes + 1))
    #expect(bus.figures.dropped == 1)
    bus.close()
    try await server.kill()
  }

  @Test func `a subscription that is let go gets nothing more`() async throws {
    let server = try await NATSServer()
    let (left, _, _) = try await listen(server.url, "x")
    let (right, inbox, first) = try await listen(server.url, "a")
    var subscription: BusSubscription? = first
    let end = Inbox()
    let other = right.subscribe("end") { end.put($0) }
    #expect(subscription != nil)
    subscription = nil
    // What is published before the server knows of the change reaches nobody.
    while end.isEmpty {
      left.publish("a", [1])
      left.publish("end", [2])
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(try await end.take() == [2])
    withExtendedLifetime((other, inbox)) {}
    left.close()
    right.close()
    try await server.kill()
  }

  @Test func `subscribes again when the server was killed and is back, and says that messages may be lost`()
    async throws
  {
    let server = try await NATSServer()
    let (left, _, unused) = try await listen(server.url, "x")
    let (right, inbox, subscription) = try await listen(server.url, "a")
    let before = (left: left.figures.connects, right: right.figures.connects)
    try await server.kill()
    while left.figures.dropped == 0 {
      left.publish("a", [1])
      await Task.yield()
    }
    try await server.start()
    try await left.connected(before.left + 1)
    try await right.connected(before.right + 1)
    left.publish("a", [2])
    #expect(try await inbox.take() == [2])
    withExtendedLifetime((subscription, unused)) {}
    left.close()
    right.close()
    try await server.kill()
  }

  @Test func `shows who it is, by password or token`() async throws {
    let server = try await NATSServer(arguments: ["--user", "o", "--pass", "p@:\""])
    let bus = try NATSBus(url: "nats://o:p%40%3A%22@127.0.0.1:\(server.port)")
    try await bus.connected()
    bus.close()
    try await server.kill()
    let other = try await NATSServer(arguments: ["--auth", "secret"])
    let second = try NATSBus(url: "nats://secret@127.0.0.1:\(other.port)")
    try await second.connected()
    second.close()
    try await other.kill()
  }

  @Test func `takes another server of the list when one is gone`() async throws {
    let first = try await NATSServer()
    let second = try await NATSServer()
    let bus = try NATSBus(url: first.url + "," + second.url, name: "test", random: random, limits: .hasty)
    try await bus.connected()
    try await first.kill()
    try await bus.connected(1)
    try await first.start()
    try await second.kill()
    try await bus.connected(2)
    bus.close()
    try await first.kill()
  }
}
