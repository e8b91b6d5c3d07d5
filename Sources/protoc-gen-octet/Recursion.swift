import ProtobufRuntime

/// Which messages contain themselves by way of singular fields. Swift structs cannot, so such fields are boxed.
/// Arrays and dictionaries hold their items on the heap anyway.
struct Recursion {
  private let pool: DescriptorPool
  /// What was found out so far: the messages that each message holds, directly or not.
  private var reachable: [String: Set<String>] = [:]

  init(_ pool: DescriptorPool) {
    self.pool = pool
  }

  /// Whether the field's message leads back to the message that has the field.
  mutating func isRecursive(_ field: FieldDescriptor, of message: MessageDescriptor) -> Bool {
    guard !field.isRepeated, let type = pool.messageType(of: field) else { return false }
    return type.fullName == message.fullName || messages(in: type).contains(message.fullName)
  }

  private mutating func messages(in message: MessageDescriptor) -> Set<String> {
    if let known = reachable[message.fullName] { return known }
    var found: Set<String> = []
    var waiting = [message]
    while let next = waiting.popLast() {
      for field in next.fields where !field.isRepeated {
        guard let type = pool.messageType(of: field), found.insert(type.fullName).inserted else { continue }
        waiting.append(type)
      }
    }
    reachable[message.fullName] = found
    return found
  }
}
