import RidesAPI
import Testing

@testable import Rides

struct RideStateTests {
  /// The whole table of the specification: every event in every state, and what is not here cannot happen.
  static let table: [RideState: [RideEvent: RideTransition]] = [
    .authorizing: [
      .approved: RideTransition(.requested), .paymentFailed: RideTransition(.paymentFailed),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .scheduled: [
      .dispatched: RideTransition(.requested), .dispatchedToProcessor: RideTransition(.authorizing),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .requested: [
      .matched: RideTransition(.offering), .searchEnded: RideTransition(.noDriver, raisesEpoch: true),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .offering: [
      .accepted: RideTransition(.assigned), .offersExhausted: RideTransition(.requested, raisesEpoch: true),
      .searchEnded: RideTransition(.noDriver, raisesEpoch: true),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .assigned: [
      .arrived: RideTransition(.arrived), .driverLost: RideTransition(.requested, raisesEpoch: true),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .arrived: [
      .started: RideTransition(.inProgress), .riderMissed: RideTransition(.noShow, raisesEpoch: true),
      .driverLost: RideTransition(.requested, raisesEpoch: true),
      .cancelledByRider: RideTransition(.cancelledByRider, raisesEpoch: true),
      .cancelledByStaff: RideTransition(.cancelledByStaff, raisesEpoch: true),
    ],
    .inProgress: [.completed: RideTransition(.completed)],
    .completed: [.paid: RideTransition(.paid), .paidShort: RideTransition(.paymentDue)],
    .paymentDue: [.paid: RideTransition(.paid)],
  ]

  static let states: [RideState] = (0...15).map { RideState(rawValue: $0) }

  @Test(arguments: states)
  func `moves exactly as the table says`(state: RideState) {
    for event in RideEvent.allCases {
      #expect(state.transition(on: event) == Self.table[state]?[event], "\(state) on \(event)")
    }
  }

  @Test func `nothing happens to a ride in a final state, and something can to every other`() {
    for state in Self.states.dropFirst() {
      #expect(state.isFinal == (Self.table[state] == nil), "\(state)")
    }
  }

  @Test func `a ride with a driver is live, and a ride over is not`() {
    for state in Self.states where state.hasDriver { #expect(state.isLive) }
    #expect(!RideState.completed.isLive)
    #expect(!RideState.paymentDue.isLive)
  }
}
