import Base
import DomainKit
import RPC
import RidesAPI
import Storage

/// `PricingService`.
struct PricingHandlers: PricingService {
  let core: RidesCore

  func estimateFare(_ request: EstimateFareRequest, context: ServerContext) async throws -> EstimateFareResponse {
    let user = try context.requireCaller().user
    return try await core.kit.mutate(request, context) { [core] writer in
      var response = EstimateFareResponse()
      response.quotes = try core.quotes(through: request.stops, for: user, in: writer)
      return response
    }
  }

  func putFareTable(_ request: PutFareTableRequest, context: ServerContext) async throws -> FareTable {
    try await core.kit.mutate(request, context) { [core] writer in
      try core.putFareTable(request.table ?? FareTable(), in: writer)
    }
  }
}
