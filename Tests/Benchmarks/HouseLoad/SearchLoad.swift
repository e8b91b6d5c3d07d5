import Base
import RPC
import SearchAPI

/// Searches for lines of the standard input, each caller beginning at another one; a page of twenty hits each.
final class SearchLoad: Load {
  private static let queries: [SearchRequest] = {
    var queries: [SearchRequest] = []
    while let line = readLine() {
      var request = SearchRequest()
      request.completesLastWord = line.hasSuffix("*")
      request.text = request.completesLastWord ? String(line.dropLast()) : line
      queries.append(request)
    }
    return queries
  }()

  private let client: SearchServiceClient
  private let next: Locked<Int>

  init(handle: String, channel: RPCChannel) async throws {
    guard !Self.queries.isEmpty else { throw RPCError(.invalidArgument, "nothing to look for on the standard input") }
    client = SearchServiceClient(channel)
    next = Locked(Int(SystemRandomSource().below(UInt64(Self.queries.count))))
  }

  func step(_ tally: inout Tally) async throws {
    let query = next.withLock { next in
      defer { next = (next + 1) % Self.queries.count }
      return Self.queries[next]
    }
    _ = try await tally.time { try await client.search(query, options: CallOptions(timeout: Account.timeout)) }
  }
}
