import DomainKit
import RPC

/// The errors of the audit domain.
enum AuditError: DomainError {
  /// The first record that is not what was sealed.
  case chainBroken(number: Int64)

  var mapping: ErrorMapping {
    switch self {
    case .chainBroken(let number):
      ErrorMapping(
        "CHAIN_BROKEN", .dataLoss, "a sealed record was altered, dropped or moved", metadata: ["number": "\(number)"])
    }
  }

  /// One sample of each case, for the golden test of the table.
  static let samples: [AuditError] = [.chainBroken(number: 17)]
}
