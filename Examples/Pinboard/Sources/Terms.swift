import Base
import DomainKit
import PinboardAPI
import ProtobufRuntime
import RPC
import Storage

/// For how long adverts hang: a table whose rows staff puts.
enum Terms {
  private static let usualDays: Int64 = 7
  static let key = "advert"
  static let days = DatedColumn("hanging_days", "For how many days one hangs.", standard: usualDays, in: 1...365)
  static let table = TableDefinition("pinboard.terms", "What holds for adverts.", key: "`\(key)`", columns: [days])

  /// For how many days an advert hangs that is pinned at an instant.
  static func days(at instant: Instant, _ tables: any Tables, in reader: any Reader) throws -> Int64 {
    try tables.row(key, of: table, at: instant, in: reader)?[days] ?? usualDays
  }
}

extension PinboardHandlers {
  func getTerms(_ request: GetTermsRequest, context: ServerContext) async throws -> PinboardAPI.Terms {
    guard let instant = request.atTime.flatMap({ Instant($0) }) else {
      throw KitError.invalid(FieldViolation(field: "at_time", description: "not a time"))
    }
    var terms = PinboardAPI.Terms()
    terms.hangingDays = try await board.kit.database.read { [board] in
      try Terms.days(at: instant, board.tables, in: $0)
    }
    return terms
  }
}
