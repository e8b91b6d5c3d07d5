import Base
import Testing

@testable import DomainKit

@Suite struct QueueOrderTests {
  private func place(_ entry: Int64, isLobby: Bool, sequence: Int64) -> QueuePlace {
    QueuePlace(event: Identifier(rawValue: 1), entry: Identifier(rawValue: entry), isLobby: isLobby, sequence: sequence)
  }

  @Test func `the lobby goes by its codes, later ones follow by their numbers`() {
    let order = QueueOrder(secret: Array("secret".utf8))
    // HMAC-SHA-256 under "secret" of qe_0000000000001 … 4 begins with 0xa5, 0xc1, 0xdf, 0xd2.
    let lobby = (1...4).map { place($0, isLobby: true, sequence: 5 - $0) }
    let later = [place(5, isLobby: false, sequence: 7), place(6, isLobby: false, sequence: 6)]
    let sorted = (later + lobby).sorted { order.key(of: $0) < order.key(of: $1) }
    #expect(sorted.map(\.entry.rawValue) == [1, 2, 4, 3, 6, 5])
  }

  @Test func `the error table is as documented`() {
    #expect(
      QueueError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == [
        "NOT_OPEN FAILED_PRECONDITION", "WINDOW_CLOSED FAILED_PRECONDITION", "QUEUE_FULL RESOURCE_EXHAUSTED",
        "ADMISSION_REQUIRED FAILED_PRECONDITION", "ADMISSION_EXPIRED FAILED_PRECONDITION",
      ])
    #expect(QueueError.notOpen(after: .seconds(5)).mapping.retryAfter == .seconds(5))
  }
}
