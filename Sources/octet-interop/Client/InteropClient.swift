import Base
import HTTP2
import InteropAPI
import RPC

/// The client of gRPC's interoperability tests, case by case as interop-test-descriptions.md describes them.
struct InteropClient {
  /// A server that does not answer at all must not hold up who runs the tests.
  static let patience = Duration.seconds(60)

  let options: Options.Client
  let group: EventLoopGroup
  let transport: HTTP2ClientTransport
  let channel: RPCChannel

  var service: TestServiceClient { TestServiceClient(channel) }

  /// - Throws: `UsageError` if the options name no server.
  init(_ options: Options.Client, group: EventLoopGroup) throws {
    self.options = options
    self.group = group
    transport = try Self.connect(options, group)
    channel = Self.channel(transport, options)
  }

  /// Runs `--test_case`.
  /// - Throws: `CaseFailure` for what the server does wrong.
  static func run(_ options: Options.Client) async throws {
    if options.testCase == "list" {
      for name in InteropCase.allCases { print(name.rawValue) }
      return
    }
    let chosen = InteropCase(rawValue: options.testCase)
    guard chosen != nil || options.testCase == "all" else { throw UsageError("unknown test case \(options.testCase)") }
    let group = try EventLoopGroup(loops: 1)
    let client = try InteropClient(options, group: group)
    do {
      for test in chosen.map({ [$0] }) ?? InteropCase.allCases {
        try await client.run(test)
        print("\(test.rawValue): passed")
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }

  private func close() async {
    await transport.shutdown()
    await group.shutdown()
  }

  private func run(_ test: InteropCase) async throws {
    do {
      switch test {
      case .emptyUnary: try await emptyUnary()
      case .largeUnary: try await largeUnary()
      case .cacheableUnary: try await cacheableUnary()
      case .clientStreaming: try await clientStreaming()
      case .serverStreaming: try await serverStreaming()
      case .pingPong: try await pingPong()
      case .emptyStream: try await emptyStream()
      case .clientCompressedUnary: try await clientCompressedUnary()
      case .serverCompressedUnary: try await serverCompressedUnary()
      case .clientCompressedStreaming: try await clientCompressedStreaming()
      case .serverCompressedStreaming: try await serverCompressedStreaming()
      case .cancelAfterBegin: try await cancelAfterBegin()
      case .cancelAfterFirstResponse: try await cancelAfterFirstResponse()
      case .timeoutOnSleepingServer: try await timeoutOnSleepingServer()
      case .customMetadata: try await customMetadata()
      case .statusCodeAndMessage: try await statusCodeAndMessage()
      case .specialStatusMessage: try await specialStatusMessage()
      case .unimplementedMethod: try await unimplementedMethod()
      case .unimplementedService: try await unimplementedService()
      case .pickFirstUnary: try await pickFirstUnary()
      case .rpcSoak: try await soak(newChannels: false)
      case .channelSoak: try await soak(newChannels: true)
      case .oversizedRequest: try await oversizedRequest()
      case .oversizedResponse: try await oversizedResponse()
      case .everyStatus: try await everyStatus()
      }
    } catch let failure as CaseFailure {
      throw CaseFailure("\(test.rawValue): \(failure.description)")
    } catch {
      throw CaseFailure("\(test.rawValue): \(error)")
    }
  }

  /// A transport of its own.
  static func connect(_ options: Options.Client, _ group: EventLoopGroup) throws -> HTTP2ClientTransport {
    guard let target = ClientTarget(options.server) else { throw UsageError("\(options.server) is no server") }
    let tls =
      options.usesTLS
      ? try TLSClientConfiguration(authorityFile: options.authorityFile, serverName: options.serverName) : nil
    return HTTP2ClientTransport(
      target: target, tls: tls, serviceConfigLookup: options.nameServer.map { .dns(nameServer: $0) }, group: group)
  }

  static func channel(_ transport: HTTP2ClientTransport, _ options: Options.Client) -> RPCChannel {
    RPCChannel(
      transport: transport, authority: transport.authority, scheme: options.usesTLS ? "https" : "http",
      userAgent: "octet-interop", interceptors: [Patience()])
  }

  /// Gives calls that have no deadline one.
  private struct Patience: ClientInterceptor {
    func before(_ method: MethodDescriptor, _ options: inout CallOptions) async throws {
      options.timeout = options.timeout ?? InteropClient.patience
    }
  }
}

/// The cases, by their public names if they have one.
enum InteropCase: String, CaseIterable {
  case emptyUnary = "empty_unary"
  case largeUnary = "large_unary"
  case cacheableUnary = "cacheable_unary"
  case clientStreaming = "client_streaming"
  case serverStreaming = "server_streaming"
  case pingPong = "ping_pong"
  case emptyStream = "empty_stream"
  case clientCompressedUnary = "client_compressed_unary"
  case serverCompressedUnary = "server_compressed_unary"
  case clientCompressedStreaming = "client_compressed_streaming"
  case serverCompressedStreaming = "server_compressed_streaming"
  case cancelAfterBegin = "cancel_after_begin"
  case cancelAfterFirstResponse = "cancel_after_first_response"
  case timeoutOnSleepingServer = "timeout_on_sleeping_server"
  case customMetadata = "custom_metadata"
  case statusCodeAndMessage = "status_code_and_message"
  case specialStatusMessage = "special_status_message"
  case unimplementedMethod = "unimplemented_method"
  case unimplementedService = "unimplemented_service"
  case pickFirstUnary = "pick_first_unary"
  case rpcSoak = "rpc_soak"
  case channelSoak = "channel_soak"
  // Not among the public ones.
  case oversizedRequest = "oversized_request"
  case oversizedResponse = "oversized_response"
  case everyStatus = "every_status"
}

/// What a server did wrong.
struct CaseFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// - Throws: `CaseFailure` unless the two are equal.
func expect<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: String) throws(CaseFailure) {
  guard actual == expected else { throw CaseFailure("\(what) is \(actual) and should be \(expected)") }
}

/// - Throws: `CaseFailure` unless `body` fails with the code.
func expectFailure<Result>(_ code: StatusCode, _ body: () async throws -> Result) async throws -> RPCError {
  do {
    _ = try await body()
  } catch let error as RPCError where error.code == code {
    return error
  } catch {
    throw CaseFailure("the call should fail with \(code), and fails with \(error)")
  }
  throw CaseFailure("the call should fail with \(code), and succeeds")
}
