import RidesAPI

/// What can happen to a driver's presence. Which of it may happen when is `Presence.transition(on:)`.
enum PresenceEvent: CaseIterable, Sendable {
  /// The driver goes online; judged before: the driver may work.
  case wentOnline
  /// The driver goes offline, or was silent for too long.
  case wentOffline
  /// A ride is offered.
  case offered
  /// The driver accepts it.
  case accepted
  /// The offer is declined, expired or withdrawn.
  case offerClosed
  /// The rider is on board.
  case rideStarted
  /// The ride was cancelled or given back before it began.
  case rideCancelled
  /// The last stop is reached.
  case rideEnded
}

extension Presence {
  /// What `event` makes of this presence; nil if it cannot happen.
  func transition(on event: PresenceEvent) -> Presence? {
    switch (self, event) {
    case (.offline, .wentOnline): .idle
    case (.idle, .wentOffline), (.offered, .wentOffline): .offline
    case (.idle, .offered): .offered
    case (.offered, .accepted): .enRoute
    case (.offered, .offerClosed): .idle
    case (.enRoute, .rideStarted): .onTrip
    case (.enRoute, .rideCancelled): .idle
    case (.onTrip, .rideEnded): .idle
    default: nil
    }
  }

  /// Whether the driver is on a ride.
  var isOnRide: Bool { self == .enRoute || self == .onTrip }
}
