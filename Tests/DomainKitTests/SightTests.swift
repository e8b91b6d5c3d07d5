import Base
import ChatAPI
import Cryptography
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Streaming
import Testing

@testable import DomainKit

private let thing = SubjectID("note", Identifier(rawValue: 7))
private let other = SubjectID("note", Identifier(rawValue: 8))
private let watch = MethodDescriptor(
  service: "test.Notes", name: "Watch", kind: .serverStreaming, policy: MethodPolicy(access: .user))

/// What ends streams when what they are about has become hidden.
@Suite struct SightTests {
  @Test func `a change wakes who watches the thing, on all nodes that have the key, until the watch is let go`()
    async throws
  {
    let shop = try await Workshop()
    let (bus, key) = (Wire(), SecretKey.random())
    let nodes = [key, key, SecretKey.random()].map { Sights(bus: bus, key: $0) }
    let woken = Locked<[String]>([])
    var watches = nodes.enumerated().flatMap { number, node in
      [thing, other, Sights.reader(Workshop.user)].map { subject in
        node.watch([subject]) { woken.withLock { $0.append("\(number) \(subject.kind) \(subject.id.rawValue)") } }
      }
    }
    func expect(_ expected: Set<String>, after change: @escaping @Sendable (any Writer) throws -> Void) async throws {
      try await shop.database.write(change)
      #expect(Set(woken.withLock { $0 }) == expected)
      woken.withLock { $0 = [] }
    }
    try await expect(["0 note 7", "1 note 7"]) { try nodes[0].visibilityChanged(of: thing, in: $0) }
    try await expect(["0 reader 1", "1 reader 1"]) { try nodes[1].changed(for: Workshop.user, in: $0) }
    bus.publish("octet.sights", Array(thing.text.utf8))
    try await expect([]) { _ in }
    watches.removeAll()
    try await expect([]) { try nodes[0].visibilityChanged(of: thing, in: $0) }
    await shop.database.close()
  }

  /// A stream about the thing, which is hidden as soon as `isHidden` says so.
  private func call(
    _ shop: Workshop, _ isHidden: Locked<Bool>, beforeWatch: @escaping @Sendable () -> Void = {}
  ) throws -> ServerStreamingCall<ServerFrame> {
    let kit = shop.kit
    let channel = shop.channel {
      $0.serverStreaming(watch) { (_: Join, responses: ResponseWriter<ServerFrame>, context) in
        let since = kit.sights.changes
        try await kit.watch(
          Topic("notes", "1"), resumeToken: "", responses, context, snapshot: { _ in true },
          over: { _ in
            beforeWatch()
            return Sight(things: [thing], since: since) { _ in
              if isHidden.withLock({ $0 }) { throw KitError.notFound("note") }
            }
          },
          first: { _, _ in .send(ServerFrame()) }, heartbeat: { ServerFrame() }, step: { _, _ in .skip })
      }
    }
    return channel.serverStreaming(watch, Join(), options: try shop.credentials())
  }

  @Test func `a change between the first look and the watch is not missed`() async throws {
    let shop = try await Workshop()
    let sights = shop.kit.sights
    let call = try call(shop, Locked(true), beforeWatch: { sights.wake(other) })
    _ = try await call.responses.next()
    await expectRefusal(.notFound, "NOT_FOUND") { try await call.responses.next() }
    await shop.database.close()
  }

  @Test func `where there are other nodes, each beat looks: their word may be lost`() async throws {
    let shop = try await Workshop(beatInterval: .milliseconds(1), hasOthers: true)
    let isHidden = Locked(false)
    let call = try call(shop, isHidden)
    for _ in 0..<3 { #expect(try await call.responses.next() != nil) }
    isHidden.withLock { $0 = true }
    await expectRefusal(.notFound, "NOT_FOUND") { while try await call.responses.next() != nil {} }
    await shop.database.close()
  }
}

/// What one node publishes, all hear.
private final class Wire: MessageBus {
  private let handlers = Locked<[@Sendable ([UInt8]) -> Void]>([])

  func publish(_ subject: String, _ message: [UInt8]) {
    for handler in handlers.withLock({ $0 }) { handler(message) }
  }

  func subscribe(_ subject: String, _ handler: @escaping @Sendable ([UInt8]) -> Void) -> BusSubscription {
    handlers.withLock { $0.append(handler) }
    return BusSubscription {}
  }

  func onInterruption(_ handler: @escaping @Sendable () -> Void) -> BusSubscription { BusSubscription {} }
}
