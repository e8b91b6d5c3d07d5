import Base
import ChatAPI
import DomainKit
import ProtobufRuntime
import RPC
import Refusals
import Storage
import Testing

/// Pages of a list of a test's own, which has filters.
@Suite struct PageTests {
  private let lists = method("List")
  private let others = method("ListOthers")

  private static func method(_ name: String) -> MethodDescriptor {
    MethodDescriptor(service: "test.Numbers", name: name, kind: .unary, policy: MethodPolicy(access: .user))
  }

  /// The numbers from 1 to 5, as rooms.
  private static func list(_ page: Page) -> ListRoomsResponse {
    var last: Int64 = 0
    if case .integer(let number)? = page.after?.first { last = number }
    let (numbers, next) = page.cut(Array((last + 1..<6).prefix(page.fetch))) { [.integer($0)] }
    var response = ListRoomsResponse()
    response.rooms = numbers.map { number in
      var room = Room()
      room.lastNumber = number
      return room
    }
    response.nextPageToken = next
    return response
  }

  private func channel(to shop: Workshop) -> RPCChannel {
    let kit = shop.kit
    return shop.channel { registry in
      for method in [lists, others] {
        registry.unary(method) { (request: ListRoomsRequest, context) in
          Self.list(try kit.page(request, context))
        }
      }
    }
  }

  @Test func `a token goes on where its page ended, with a size of page that may be another`() async throws {
    let shop = try await Workshop()
    let channel = channel(to: shop)
    let options = try shop.credentials()
    var request = ListRoomsRequest()
    (request.kind, request.waiting, request.pageSize) = (.live, true, 2)
    let first: ListRoomsResponse = try await channel.unary(lists, request, options: options)
    #expect(first.rooms.map(\.lastNumber) == [1, 2])
    (request.pageToken, request.pageSize) = (first.nextPageToken, 0)
    let rest: ListRoomsResponse = try await channel.unary(lists, request, options: options)
    #expect(rest.rooms.map(\.lastNumber) == [3, 4, 5] && rest.nextPageToken.isEmpty)
    await shop.database.close()
  }

  @Test func `a token of another filter, list or caller, or one that was changed, is refused`() async throws {
    let shop = try await Workshop()
    let channel = channel(to: shop)
    var asked = ListRoomsRequest()
    (asked.kind, asked.pageSize) = (.live, 2)
    let first: ListRoomsResponse = try await channel.unary(lists, asked, options: try shop.credentials())
    asked.pageToken = first.nextPageToken
    var changed = Array(repeating: asked, count: 4)
    changed[0].kind = .thread
    changed[1].waiting = true
    changed[2].pageToken = String(asked.pageToken.dropLast(4))
    // What a newer version of the list may take as a filter.
    changed[3].unknownFields = try ListRoomsRequest(decoding: [0xf8, 0x7f, 1]).unknownFields
    for request in changed {
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
        try await channel.unary(lists, request, as: ListRoomsResponse.self, options: try shop.credentials())
      }
    }
    await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
      try await channel.unary(others, asked, as: ListRoomsResponse.self, options: try shop.credentials())
    }
    await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
      let other = try shop.credentials(Identifier(rawValue: 2))
      return try await channel.unary(lists, asked, as: ListRoomsResponse.self, options: other)
    }
    await shop.database.close()
  }
}
