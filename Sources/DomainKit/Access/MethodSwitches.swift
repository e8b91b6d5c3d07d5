public import RPC

/// Which methods are switched off. The admin domain implements it.
public protocol MethodSwitches: Sendable {
  /// Whether somebody may call a method, if access and roles permit it. Answers from memory; what is switched on
  /// another node is known here within a second. From any thread.
  /// - Returns: nil if that depends on what memory does not know: where the caller lives.
  func isOnAtOnce(_ method: MethodDescriptor, for caller: Caller?) -> Bool?

  /// The same, with a look into the database for what memory does not know.
  func isOn(_ method: MethodDescriptor, for caller: Caller?) async throws -> Bool
}
