import Base
import DomainKit
import PinboardAPI
import RPC
import Storage
import WellKnownTypes

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
    // The field's rules have seen to it that it is there.
    let instant = try Instant(request.atTime ?? Timestamp(), field: "at_time")
    var terms = PinboardAPI.Terms()
    terms.hangingDays = try await board.kit.database.read { [board] in
      try Terms.days(at: instant, board.parts.tables, in: $0)
    }
    return terms
  }
}
