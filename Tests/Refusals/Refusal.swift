import GoogleRPC
public import RPC
public import Testing

/// What a call was refused with: the status and the reason.
public struct Refusal: Sendable, Equatable, CustomStringConvertible {
  public let code: StatusCode
  public let reason: String

  public init(_ code: StatusCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  public var description: String { "\(code) \(reason)" }
}

extension RPCError {
  public var refusal: Refusal {
    Refusal(code, details.lazy.compactMap { $0.unpack(ErrorInfo.self) }.first?.reason ?? "")
  }
}

/// How a call is refused; nil if it is not.
public func refusal<Result>(of call: () async throws -> Result) async -> Refusal? {
  await error(of: call)?.refusal
}

/// The fields that a call is refused for.
public func badFields<Result>(of call: () async throws -> Result) async -> [String] {
  let details = await error(of: call)?.details ?? []
  return details.lazy.compactMap { $0.unpack(BadRequest.self) }.first?.fieldViolations.map(\.field) ?? []
}

/// The error of a call that must fail.
public func failure<Result>(
  sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Result
) async -> RPCError {
  guard let error = await error(of: call) else {
    Issue.record("the call should be refused, and answers", sourceLocation: sourceLocation)
    return RPCError(.ok)
  }
  return error
}

/// Expects that a call is refused with a code and a reason.
@discardableResult
public func expectRefusal<Result>(
  _ code: StatusCode, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ call: () async throws -> Result
) async -> RPCError {
  let error = await failure(sourceLocation: sourceLocation, call)
  #expect(error.refusal == Refusal(code, reason), "\(error)", sourceLocation: sourceLocation)
  return error
}

/// What a call throws; UNKNOWN for what is no status.
private func error<Result>(of call: () async throws -> Result) async -> RPCError? {
  do {
    _ = try await call()
    return nil
  } catch let error as RPCError {
    return error
  } catch {
    return RPCError(.unknown, "not a status: \(error)")
  }
}
