import GoogleRPC
import RPC

@testable import Rides

/// How a call failed: the status and the reason.
struct Failure: Equatable, CustomStringConvertible {
  let code: StatusCode
  let reason: String

  init(_ code: StatusCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  var description: String { "\(code) \(reason)" }
}

/// Runs a call that must fail, and tells how it did; nil if it did not.
func failure(isolation: isolated (any Actor)? = #isolation, _ call: () async throws -> Void) async -> Failure? {
  do {
    try await call()
    return nil
  } catch let error as RPCError {
    let info = error.details.lazy.compactMap { $0.unpack(ErrorInfo.self) }.first
    return Failure(error.code, info?.reason ?? "")
  } catch {
    return Failure(.unknown, "\(error)")
  }
}

/// The fields that a call was refused for.
func badFields(isolation: isolated (any Actor)? = #isolation, _ call: () async throws -> Void) async -> [String] {
  do {
    try await call()
    return []
  } catch let error as RPCError {
    return error.details.lazy.compactMap { $0.unpack(BadRequest.self) }.first?.fieldViolations.map(\.field) ?? []
  } catch {
    return []
  }
}
