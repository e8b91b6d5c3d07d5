import Base
import Glibc
import HTTP2
import ProtobufRuntime
import RPC

/// A server, as one run of the program sees it: the connection, what reflection told of it, and the login.
final class Client {
  let global: GlobalOptions
  let channel: RPCChannel
  let target: ConnectionTarget
  /// The target, as the profile knows it.
  let address: String
  var reflection: ServerReflection
  let store: ProfileStore
  var profile: Profile?
  let clock = SystemClock()

  /// Time for the questions that come before a call, when the call itself has no deadline: long enough for a server that
  /// has much to do.
  private static let reflectionDeadline = Duration.seconds(30)

  init(_ global: GlobalOptions, environment: Environment) async throws {
    self.global = global
    store = try ProfileStore(name: global.profile, environment: environment)
    profile = try await store.load()
    target = ConnectionTarget(global, profile: profile)
    address = target.address
    channel = try await target.connect().channel
    reflection = ServerReflection(channel, options: CallOptions(timeout: global.deadline ?? Self.reflectionDeadline))
  }

  /// What was learned of the server.
  var pool: DescriptorPool { reflection.pool }

  /// Whether calls carry the token of a login.
  var isLoggedIn: Bool { profile?.address == address }

  /// Options of a call: the user's metadata and deadline, and the token of the login.
  /// - Parameter authenticated: calls that make or renew a login go without.
  func callOptions(authenticated: Bool = true) async throws -> CallOptions {
    var metadata = Metadata()
    do {
      for (name, value) in global.headers {
        if name.lowercased().hasSuffix("-bin") {
          guard let bytes = Base64.decodeLeniently(value) else {
            throw UsageError("the value of \(name) is not base 64")
          }
          try metadata.add(name, binary: bytes)
        } else {
          try metadata.add(name, value)
        }
      }
      if authenticated, metadata["authorization"] == nil, let token = try await accessToken() {
        try metadata.add("authorization", "Bearer \(token)")
      }
    } catch let error as MetadataError {
      throw UsageError("the metadata cannot be sent: \(error)")
    }
    return CallOptions(metadata: metadata, timeout: global.deadline, messageBytes: Self.messageBytes)
  }

  /// The longest message that is taken: a person asked for it, so more than a server would take.
  private static let messageBytes = 64 << 20

  /// How messages are printed.
  /// - Parameter isOneOfMany: whether others follow, so that each is to stay on its line.
  func jsonOptions(isOneOfMany: Bool) -> JSONWriteOptions {
    var options = JSONWriteOptions()
    options.isPretty = !global.isCompact && !isOneOfMany
    options.writesZeroValues = global.showsZeroValues
    return options
  }

  /// A message on one line.
  func json(_ message: DynamicMessage) throws -> [UInt8] {
    try JSONCodec(pool).json(
      fromWire: message.wire, type: message.type.fullName, options: jsonOptions(isOneOfMany: true))
  }

  /// A service by its full name, or by its own name if that says enough: `RideService`.
  func service(_ name: String) async throws -> ServiceDescriptor {
    var fullName = name
    if !name.contains(".") {
      let matches = try await reflection.services().filter { $0 == name || $0.hasSuffix("." + name) }
      guard matches.count <= 1 else { throw UsageError("\(name) may be \(matches.joined(separator: " or "))") }
      fullName = matches.first ?? name
    }
    try await reflection.load(symbol: fullName)
    guard let service = pool.service(fullName) else { throw UsageError("\(fullName) is no service") }
    return service
  }
}
