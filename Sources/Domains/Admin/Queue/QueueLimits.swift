/// What bounds the work of admission queues.
struct QueueLimits: Sendable {
  /// A place that nobody has followed for so long is given up at its turn.
  var unseenLimit = Duration.seconds(60)
  /// Between two signs of life of a process that has streams; twelve may be lost before its places count as unseen.
  var beatInterval = Duration.seconds(5)
  /// A database that has not answered for so long has missed six signs of life of every process: after that nobody counts as
  /// unseen for what was before.
  var longestSilence = Duration.seconds(30)
  /// Entries that one transaction calls, so that joins and purchases wait a few milliseconds at most.
  var calledAtOnce = 500
  /// Entries that are read with one statement while an order is loaded.
  var loadedAtOnce = 10_000
  /// Presences that one transaction writes.
  var presencesAtOnce = 256
  /// A place that gets on is told so no more often than that; with 100,000 streams that is 50,000 messages a second.
  var placeInterval = Duration.seconds(2)
  /// Between two looks while somebody waits.
  var roundInterval = Duration.milliseconds(100)
  /// Between two looks while nobody does.
  var idleInterval = Duration.seconds(1)
  /// How long the queues of a process that died wait for another one.
  var ownerLease = Duration.seconds(10)
  /// How long the record of a closed queue is kept.
  var retention = Duration.seconds(90 * 86_400)
  /// Rows that one transaction of the sweep deletes.
  var sweptAtOnce = 256
}
