import ProtobufRuntime

/// Shows a stream of octet.chat.v1 frames, whichever domain's method carries it: what is typed is said, what others
/// say is printed.
struct ChatRoom {
  private let pool: DescriptorPool
  private let outputType: String
  /// The fields that carry the frames.
  private let clientField: String
  private let serverField: String

  /// - Returns: nil if the method carries no chat.
  init?(_ method: MethodDefinition, pool: DescriptorPool) {
    guard method.isClientStreaming, method.isServerStreaming,
      let request = pool.message(method.inputType), let response = pool.message(method.outputType),
      let client = request.fields.first(where: { $0.typeName == "octet.chat.v1.ClientFrame" }),
      let server = response.fields.first(where: { $0.typeName == "octet.chat.v1.ServerFrame" })
    else { return nil }
    self.pool = pool
    outputType = method.outputType
    clientField = client.name
    serverField = server.name
  }

  /// Joins the room that `request` names, and talks until standard input or the stream ends.
  func run(_ runner: CallRunner, _ request: JSONText?) async throws {
    var members: [(String, JSONText)] = []
    if case .object(let given)? = request { members = given }
    if !members.contains(where: { $0.0 == clientField }) {
      members.append((clientField, .object([("join", .object([]))])))
    }
    let first = Array(JSONText.object(members).text.utf8)
    let source = RequestSource.lines(.standard, first: [first]) { [clientField] line in
      .object([
        (
          clientField,
          .object([("post", .object([("requestId", .string(RequestID.make())), ("text", .string(line))]))])
        )
      ])
    }
    try await runner.run(source) { message in
      guard let frame = DynamicMessage(message, type: outputType, pool: pool)?.message(serverField) else { return }
      for line in lines(frame) { Output.print(line) }
    }
  }

  private func lines(_ frame: DynamicMessage) -> [String] {
    if let joined = frame.message("joined") { return joined.messages("messages").map(text) }
    if let message = frame.message("message") { return [text(message)] }
    if let refused = frame.message("post_refused") {
      return [Terminal.plain("! \(refused.text("reason")): \(refused.text("message"))")]
    }
    if frame.message("closed") != nil { return ["- the room has closed"] }
    if let deleted = frame.message("message_deleted") {
      return ["- message \(deleted.integer("number") ?? 0) was taken away"]
    }
    return frame.message("status").map(Self.status) ?? []
  }

  /// What holds for the room, if it is not the plain case.
  private static func status(_ status: DynamicMessage) -> [String] {
    let states = [
      "ROOM_STATE_OPEN": "the room is open", "ROOM_STATE_TAKEN": "somebody of the staff is there",
      "ROOM_STATE_CLOSED": "the room is closed",
    ]
    var lines = states[status.enumName("state")].map { ["- \($0)"] } ?? []
    if let seconds = status.message("slow_mode")?.integer("seconds") {
      lines.append("- one message each \(seconds) s")
    }
    return lines
  }

  private func text(_ message: DynamicMessage) -> String {
    let text = message.integer("deleted") == 1 ? "(taken away)" : message.text("text")
    return Terminal.plain("\(message.text("author_name")): \(text)")
  }
}
