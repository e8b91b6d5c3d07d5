import ProtobufRuntime
import RPC
import Testing

@testable import Admin
@testable import Audit
@testable import Chat
@testable import DomainKit
@testable import Identity
@testable import Media
@testable import Notify
@testable import Search
@testable import Social

/// What a code promises to clients, whatever the domain; the table of rides is held to it in its own tests. Where no waiting
/// helps, nothing is said of it, and a text that is no field has no name: docs/guides/choosing-an-error.md.
@Test func `bad input names its fields, and who can wait is told how long`() {
  let tables: [[any DomainError]] = [
    KitError.samples, TableError.samples, QueueError.samples, AuditError.samples, ChatError.samples,
    FindingError.samples, IdentityError.samples, MediaError.samples, NotifyError.samples, SocialError.samples,
  ]
  for mapping in tables.joined().map(\.mapping) {
    switch mapping.code {
    case .invalidArgument where mapping.reason != "INVALID_TEXT":
      #expect(mapping.violations.allSatisfy { !$0.field.isEmpty } && !mapping.violations.isEmpty, "\(mapping.reason)")
    case .resourceExhausted where !["LIMIT_EXCEEDED", "TOO_MANY_ATTEMPTS", "SLOW_READER"].contains(mapping.reason),
      .unavailable:
      #expect(mapping.retryAfter != nil, "\(mapping.reason)")
    default: break
    }
  }
}
