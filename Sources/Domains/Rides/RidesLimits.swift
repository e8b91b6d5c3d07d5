/// The numbers of the rides specification, in one place; but for those that a receipt rests on, which must not change
/// as long as it can be computed again: they are parts of the fare.
public struct RidesLimits: Sendable {
  /// How long a quote binds.
  public var quoteLifetime: Duration = .seconds(300)
  /// How long an offer can be accepted.
  public var offerLifetime: Duration = .seconds(12)
  /// How many drivers are offered one ride at the same time, 1 to 5.
  public var fanOut = 1
  /// How long a driver is looked for before the ride is NO_DRIVER.
  public var searchTime: Duration = .seconds(300)
  /// How often rides are matched with drivers.
  public var matchInterval: Duration = .seconds(2)
  /// A free driver who was silent for this long goes OFFLINE.
  public var silenceWhenFree: Duration = .seconds(60)
  /// A ride whose driver was silent for this long before it began is offered to others.
  public var silenceOnRide: Duration = .seconds(300)
  /// The greatest distance from the pickup that counts as being there, in metres.
  public var arrivalRadiusM = 150.0
  /// How long a driver waits at the pickup before leaving makes the ride NO_SHOW.
  public var noShowWait: Duration = .seconds(300)
  /// Cancelling is free for this long after a driver was assigned.
  public var freeCancelTime: Duration = .seconds(120)
  /// Cancelling is free once the driver is this late.
  public var lateDriver: Duration = .seconds(300)
  /// Stops of a ride, pickup and drop-off included.
  public var stops = 5
  /// The straight line between neighbouring stops, in metres, beyond which there is no route.
  public var legM = 300_000.0
  /// How long a ride's chat stays open after the ride.
  public var chatAfterRide: Duration = .seconds(1800)
  /// Points of a trail that are kept in memory before they are made durable.
  public var trailBatch = 20
  /// How long a point of a trail is kept in memory at most.
  public var trailInterval: Duration = .seconds(2)
  /// How long the end of a ride waits for the trail that another node has in memory: longer than that keeps it. After
  /// that the durable trail counts, which is all that the driver was told of.
  public var flushWait: Duration = .seconds(4)
  /// How often the last positions are stored.
  public var checkpointInterval: Duration = .seconds(5)
  /// How long a city has no one who matches it after the node that did died, where there are several.
  public var cityLease: Duration = .seconds(10)
  /// Rides of one city that one matching looks at; older ones first.
  public var matchedRides = 1000
  /// How many of them are offered at the same time, so that they share a commit.
  public var offersAtOnce = 64
  /// What a driver was told is kept for this long.
  public var eventRetention: Duration = .seconds(3600)
  /// Unused quotes are kept for this long after they expired.
  public var quoteRetention: Duration = .seconds(86_400)
  /// How often unused quotes are looked for.
  public var sweepInterval: Duration = .seconds(60)
  /// Rows that one sweep deletes.
  public var sweepBatch: Int64 = 1000

  public init() {}
}
