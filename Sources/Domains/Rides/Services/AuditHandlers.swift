import Base
import DomainKit
import RPC
import RidesAPI
import Storage
import WellKnownTypes

/// `AuditService`.
struct AuditHandlers: AuditService {
  let core: RidesCore

  func checkInvariants(
    _ request: CheckInvariantsRequest, context: ServerContext
  ) async throws -> CheckInvariantsResponse {
    try await core.kit.database.read { [core] reader in
      var response = CheckInvariantsResponse()
      response.checkedAt = Timestamp(core.now)
      response.snapshotSequence = try reader.rideEvents()
      response.invariants = try reader.checkInvariants().map { InvariantReport($0) }
      return response
    }
  }
}
