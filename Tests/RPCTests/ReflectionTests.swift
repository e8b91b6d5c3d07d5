import BenchAPI
import OctetTypes
import ProtobufRuntime
import RPC
import StandardServices
import StandardServicesAPI
import Testing
import WellKnownTypes

struct ReflectionTests {
  private typealias Request = ServerReflectionRequest.MessageRequest

  private func fixture() -> Fixture {
    Fixture { registry in
      registry.echo()
      // It fails only if the generated descriptors are broken, and then every test here should.
      try! Reflection.register(
        in: &registry,
        serializedFileDescriptorSets: [
          WellKnownTypesDescriptors.serializedFileDescriptorSet, OctetTypesDescriptors.serializedFileDescriptorSet,
          BenchAPIDescriptors.serializedFileDescriptorSet, Self.proto2,
        ])
    }
  }

  private func ask(_ question: Request?, alpha: Bool = false) async throws -> ServerReflectionResponse.MessageResponse?
  {
    let method =
      alpha ? V1AlphaServerReflectionMethods.serverReflectionInfo : ServerReflectionMethods.serverReflectionInfo
    let call: BidirectionalCall<ServerReflectionRequest, ServerReflectionResponse> =
      fixture().channel().bidirectional(method)
    var request = ServerReflectionRequest()
    request.host = "h"
    request.messageRequest = question
    try await call.requests.write(request)
    let response = try #require(try await call.responses.next())
    #expect(response.validHost == "h")
    #expect(response.originalRequest == request)
    return response.messageResponse
  }

  private func fileNames(_ question: Request) async throws -> [String]? {
    guard case .fileDescriptorResponse(let response) = try await ask(question) else { return nil }
    return try response.fileDescriptorProto.map { try FileDescriptor(serialized: $0).name }
  }

  @Test(arguments: [false, true])
  func listsServicesInBothVersions(_ alpha: Bool) async throws {
    guard case .listServicesResponse(let list) = try await ask(.listServices(""), alpha: alpha) else {
      Issue.record("no list")
      return
    }
    #expect(
      list.service.map(\.name) == [
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "test.Service",
      ])
  }

  @Test(arguments: [
    "bench.v1.Bench", "bench.v1.Bench.Echo", "bench.v1.EchoRequest", "bench.v1.EchoRequest.payload", "bench.v1.Chunk",
  ])
  func findsTheFileOfASymbol(_ symbol: String) async throws {
    #expect(try await fileNames(.fileContainingSymbol(symbol)) == ["bench/v1/bench.proto"])
  }

  @Test(arguments: ["old.Base", "old.Base.Color", "old.Base.RED", "old.extra", "old.TOP", "old.Level"])
  func findsEnumsTheirValuesAndExtensions(_ symbol: String) async throws {
    #expect(try await fileNames(.fileContainingSymbol(symbol)) == ["old.proto"])
  }

  @Test func findsAFileByItsName() async throws {
    #expect(try await fileNames(.fileByFilename("grpc/health/v1/health.proto")) == ["grpc/health/v1/health.proto"])
  }

  @Test(arguments: [
    Request.fileByFilename("nothing.proto"), .fileContainingSymbol("bench.v1.Nothing"),
    .fileContainingSymbol("bench.v1.EchoRequest.nothing"), .fileContainingSymbol(""),
    .fileContainingExtension(extensionRequest("old.Base", 7)), .allExtensionNumbersOfType("nothing"),
  ])
  fileprivate func saysNotFound(_ question: ServerReflectionRequest.MessageRequest) async throws {
    guard case .errorResponse(let error) = try await ask(question) else {
      Issue.record("no error")
      return
    }
    #expect(error.errorCode == 5)
  }

  @Test func anEmptyQuestionIsAnError() async throws {
    guard case .errorResponse(let error) = try await ask(nil) else {
      Issue.record("no error")
      return
    }
    #expect(error.errorCode == 3)
  }

  @Test func findsExtensions() async throws {
    #expect(
      try await fileNames(.fileContainingExtension(Self.extensionRequest("old.Base", 100))) == ["old.proto"])
    guard case .allExtensionNumbersResponse(let numbers) = try await ask(.allExtensionNumbersOfType("old.Base")) else {
      Issue.record("no numbers")
      return
    }
    #expect(numbers.extensionNumber == [100])
  }

  private static func extensionRequest(_ type: String, _ number: Int32) -> ExtensionRequest {
    var request = ExtensionRequest()
    request.containingType = type
    request.extensionNumber = number
    return request
  }

  /// syntax = "proto2"; package old; message Base { extensions 100 to 199; enum Color { RED = 0; } }
  /// extend Base { optional int32 extra = 100; } enum Level { TOP = 0; }
  private static let proto2: [UInt8] = {
    let color = nested(4, text(1, "Color") + nested(2, text(1, "RED") + [16, 0]))
    let range = nested(5, [8, 100, 16, 200, 1])
    let base = nested(4, text(1, "Base") + color + range)
    let level = nested(5, text(1, "Level") + nested(2, text(1, "TOP") + [16, 0]))
    let field = nested(7, text(1, "extra") + text(2, ".old.Base") + [24, 100, 32, 1, 40, 5])
    return nested(1, text(1, "old.proto") + text(2, "old") + base + level + field)
  }()

  private static func nested(_ field: UInt8, _ body: [UInt8]) -> [UInt8] {
    precondition(body.count < 16384, "two octets of length are enough here")
    let length =
      body.count < 128 ? [UInt8(body.count)] : [UInt8(body.count & 127) | 128, UInt8(body.count >> 7)]
    return [field << 3 | 2] + length + body
  }

  private static func text(_ field: UInt8, _ text: String) -> [UInt8] { nested(field, Array(text.utf8)) }
}
