import RidesAPI

/// What can happen to a ride. Which of it may happen when is `RideState.transition(on:)`.
enum RideEvent: CaseIterable, Sendable {
  /// The card was authorized.
  case approved
  /// The card was refused, or its processor was silent for 2 minutes.
  case paymentFailed
  /// A scheduled ride to be paid in cash or from the wallet is due.
  case dispatched
  /// A scheduled ride to be paid by card is due.
  case dispatchedToProcessor
  /// Drivers were found and have an offer.
  case matched
  /// A driver accepted an offer of the present epoch.
  case accepted
  /// All offers of the epoch were declined, expired or withdrawn.
  case offersExhausted
  /// Nobody was found within the time that a search may take.
  case searchEnded
  /// The driver is at the pickup.
  case arrived
  /// The driver cancelled before the rider was on board, or was silent for too long.
  case driverLost
  /// The PIN was right.
  case started
  /// The driver left after having waited long enough.
  case riderMissed
  /// The rider cancelled.
  case cancelledByRider
  /// Support cancelled.
  case cancelledByStaff
  /// The ride is over, at the drop-off or before.
  case completed
  /// The whole fare is there.
  case paid
  /// A part of the fare is there, or the card took less.
  case paidShort
}

/// What an event makes of a ride.
struct RideTransition: Equatable, Sendable {
  let state: RideState
  /// Whether a new search begins: offers and PIN of the epoch before are void.
  let raisesEpoch: Bool

  init(_ state: RideState, raisesEpoch: Bool = false) {
    self.state = state
    self.raisesEpoch = raisesEpoch
  }
}

extension RideState {
  /// What `event` makes of a ride in this state; nil if it cannot happen in it.
  func transition(on event: RideEvent) -> RideTransition? {
    switch (self, event) {
    case (.authorizing, .approved), (.scheduled, .dispatched): RideTransition(.requested)
    case (.authorizing, .paymentFailed): RideTransition(.paymentFailed)
    case (.scheduled, .dispatchedToProcessor): RideTransition(.authorizing)
    case (.requested, .matched): RideTransition(.offering)
    case (.offering, .accepted): RideTransition(.assigned)
    case (.offering, .offersExhausted): RideTransition(.requested, raisesEpoch: true)
    case (.requested, .searchEnded), (.offering, .searchEnded): RideTransition(.noDriver, raisesEpoch: true)
    case (.assigned, .arrived): RideTransition(.arrived)
    case (.assigned, .driverLost), (.arrived, .driverLost): RideTransition(.requested, raisesEpoch: true)
    case (.arrived, .started): RideTransition(.inProgress)
    case (.arrived, .riderMissed): RideTransition(.noShow, raisesEpoch: true)
    case (_, .cancelledByRider) where precedesStart: RideTransition(.cancelledByRider, raisesEpoch: true)
    case (_, .cancelledByStaff) where precedesStart: RideTransition(.cancelledByStaff, raisesEpoch: true)
    case (.inProgress, .completed): RideTransition(.completed)
    case (.completed, .paid), (.paymentDue, .paid): RideTransition(.paid)
    case (.completed, .paidShort): RideTransition(.paymentDue)
    default: nil
    }
  }

  /// Whether the ride has been asked for and not begun.
  var precedesStart: Bool {
    switch self {
    case .authorizing, .scheduled, .requested, .offering, .assigned, .arrived: true
    default: false
    }
  }

  /// Whether the rider may not have another ride beside it.
  var isLive: Bool {
    switch self {
    case .authorizing, .requested, .offering, .assigned, .arrived, .inProgress: true
    default: false
    }
  }

  /// Whether a driver is on the way, waits or drives.
  var hasDriver: Bool {
    switch self {
    case .assigned, .arrived, .inProgress: true
    default: false
    }
  }

  /// Whether nothing can happen to the ride any more.
  var isFinal: Bool {
    switch self {
    case .paid, .paymentFailed, .noDriver, .noShow, .cancelledByRider, .cancelledByStaff: true
    default: false
    }
  }
}
