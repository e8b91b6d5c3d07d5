import InteropAPI
import RPC

extension InteropClient {
  static let largeRequest = 271_828
  static let largeResponse = 314_159

  func emptyUnary() async throws {
    try expect(try await service.emptyCall(Empty()), Empty(), "the answer")
  }

  func largeUnary() async throws {
    try check(try await service.unaryCall(Self.request()), Self.largeResponse)
  }

  /// What a client can see that has no cache in between: the answer may be cached. It is asked for by GET too, if the
  /// server takes that.
  func cacheableUnary() async throws {
    var options = CallOptions()
    try options.metadata.add("x-user-ip", "1.2.3.4")
    for _ in 0..<2 {
      let call = channel.unaryCall(
        TestServiceMethods.cacheableUnaryCall, Self.request(), as: SimpleResponse.self, options: options)
      try check(try await call.response(), Self.largeResponse)
      let cacheControl = try await call.initialMetadata["cache-control"] ?? "missing"
      guard cacheControl.contains("max-age=") else { throw CaseFailure("cache-control is \(cacheControl)") }
    }
    // Short, as it stands in the path.
    let request = Self.request(100)
    guard let first = try await get(TestServiceMethods.cacheableUnaryCall, request) else { return }
    try check(first.0, Self.largeResponse)
    guard first.cacheControl.contains("max-age=") else {
      throw CaseFailure("cache-control is \(first.cacheControl) by GET")
    }
    try expect(try await get(TestServiceMethods.cacheableUnaryCall, request)?.0, first.0, "the second answer by GET")
    print("\(InteropCase.cacheableUnary.rawValue): by GET too")
  }

  func pickFirstUnary() async throws {
    var servers: Set<String> = []
    for _ in 0..<20 {
      var request = SimpleRequest()
      request.fillServerID = true
      servers.insert(try await service.unaryCall(request).serverID)
    }
    guard servers.count == 1, !servers.contains("") else { throw CaseFailure("the calls went to \(servers)") }
  }

  func clientCompressedUnary() async throws {
    let gzip = CallOptions(compression: .gzip)
    // A server that cannot see whether a message is compressed is found out first.
    _ = try await expectFailure(.invalidArgument) {
      try await service.unaryCall(Self.request(expectingCompressed: true))
    }
    try check(try await service.unaryCall(Self.request(expectingCompressed: true), options: gzip), Self.largeResponse)
    try check(try await service.unaryCall(Self.request(expectingCompressed: false)), Self.largeResponse)
  }

  func serverCompressedUnary() async throws {
    for compressed in [true, false] {
      var request = Self.request()
      request.responseCompressed = BoolValue(compressed)
      let call = channel.unaryCall(TestServiceMethods.unaryCall, request, as: SimpleResponse.self)
      try check(try await call.response(), Self.largeResponse)
      try expect(call.wasCompressed, compressed, "whether the answer is compressed")
    }
  }

  static func request(
    _ requestSize: Int = largeRequest, _ responseSize: Int = largeResponse, expectingCompressed: Bool? = nil
  ) -> SimpleRequest {
    var request = SimpleRequest()
    request.responseSize = Int32(responseSize)
    request.payload = Payload(zeros: requestSize)
    request.expectCompressed = expectingCompressed.map(BoolValue.init)
    return request
  }

  func check(_ response: SimpleResponse, _ size: Int) throws(CaseFailure) {
    guard let body = response.payload?.body else { throw CaseFailure("the answer has no payload") }
    try expect(body.count, size, "the size of the payload")
    guard body.allSatisfy({ $0 == 0 }) else { throw CaseFailure("the payload is not zeros") }
  }
}

extension Payload {
  init(zeros count: Int) {
    self.init()
    body = Array(repeating: 0, count: count)
  }
}

extension BoolValue {
  init(_ value: Bool) {
    self.init()
    self.value = value
  }
}
