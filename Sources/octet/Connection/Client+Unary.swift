import ProtobufRuntime
import RPC

extension Client {
  /// The metadata that carries the solution of a puzzle.
  private static let challengeHeader = "octet-challenge"

  /// Makes a call that a command needs beside the one that was asked for.
  /// - Parameters:
  ///   - path: `octet.media.v1.MediaService/GetBlob`.
  ///   - authenticated: calls that make or renew a login go without one.
  ///   - remedied: calls that are themselves a remedy, or hold the profile's lock, are not repeated with one.
  func unary(
    _ path: String, _ request: JSONText, authenticated: Bool = true, remedied: Bool = true
  ) async throws -> DynamicMessage {
    let (service, method) = try await self.method(path)
    let wire = try JSONCodec(pool).wire(fromJSON: Array(request.text.utf8), type: method.inputType)
    var remedies = Remedies()
    while true {
      var options = try await callOptions(authenticated: authenticated)
      do {
        try remedies.apply(to: &options)
        let reply = try await channel.unary(
          MethodDescriptor(service: service.fullName, name: method.name, kind: .unary), RawMessage(wire),
          as: RawMessage.self, options: options)
        guard let message = DynamicMessage(reply.bytes, type: method.outputType, pool: pool) else {
          throw RPCError(.internal, "the server does not describe \(method.outputType)")
        }
        return message
      } catch let error as RPCError {
        guard remedied, try await remedies.find(for: error, by: self) else { throw error }
      }
    }
  }

  /// What a refused call is repeated with: each reason is dealt with once.
  struct Remedies {
    private var tried: Set<String> = []
    private var solution: String?

    /// Does what the server wants before it does what was asked.
    /// - Returns: whether the call is worth another try.
    mutating func find(for error: RPCError, by client: Client) async throws -> Bool {
      guard let reason = ErrorReport.reason(of: error), tried.insert(reason).inserted else { return false }
      switch reason {
      case "CHALLENGE_REQUIRED":
        guard let method = ErrorReport.metadata("method", of: error) else { return false }
        solution = try await client.solveChallenge(for: method)
        return true
      case "STEP_UP_REQUIRED":
        guard Prompt.isPossible, client.isLoggedIn else { return false }
        try await client.stepUp()
        // The solution was spent on the call before; the next one may need another.
        solution = nil
        tried.remove("CHALLENGE_REQUIRED")
        return true
      default: return false
      }
    }

    /// Adds what was found.
    func apply(to options: inout CallOptions) throws(MetadataError) {
      if let solution { try options.metadata.add(Client.challengeHeader, solution) }
    }
  }
}
