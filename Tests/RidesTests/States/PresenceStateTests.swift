import RidesAPI
import Testing

@testable import Rides

struct PresenceStateTests {
  static let table: [Presence: [PresenceEvent: Presence]] = [
    .offline: [.wentOnline: .idle],
    .idle: [.offered: .offered, .wentOffline: .offline],
    .offered: [.accepted: .enRoute, .offerClosed: .idle, .wentOffline: .offline],
    .enRoute: [.rideStarted: .onTrip, .rideCancelled: .idle],
    .onTrip: [.rideEnded: .idle],
  ]

  @Test(arguments: [Presence.unspecified, .offline, .idle, .offered, .enRoute, .onTrip])
  func `moves exactly as the table says`(presence: Presence) {
    for event in PresenceEvent.allCases {
      #expect(presence.transition(on: event) == Self.table[presence]?[event], "\(presence) on \(event)")
    }
  }
}
