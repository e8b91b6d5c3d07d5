import GoogleRPC
import RPC
import Testing

/// What a call was refused with.
struct Refusal: Equatable, CustomStringConvertible {
  let code: StatusCode
  let reason: String

  init(_ code: StatusCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  var description: String { "\(code) \(reason)" }
}

extension RPCError {
  var refusal: Refusal {
    Refusal(code, details.lazy.compactMap { $0.unpack(ErrorInfo.self) }.first?.reason ?? "")
  }
}

/// The error of a call that must fail.
func failure<Result>(
  sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Result
) async -> RPCError {
  do {
    let result = try await call()
    Issue.record("the call should be refused, and answers \(result)", sourceLocation: sourceLocation)
    return RPCError(.ok)
  } catch let error as RPCError {
    return error
  } catch {
    Issue.record("not a status: \(error)", sourceLocation: sourceLocation)
    return RPCError(.unknown)
  }
}

/// Expects that a call is refused with a code and a reason.
@discardableResult
func expectRefusal<Result>(
  _ code: StatusCode, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ call: () async throws -> Result
) async -> RPCError {
  let error = await failure(sourceLocation: sourceLocation, call)
  #expect(error.refusal == Refusal(code, reason), "\(error)", sourceLocation: sourceLocation)
  return error
}
