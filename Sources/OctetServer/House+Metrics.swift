import NATS
import Observability
import StorageSQLite

extension House {
  /// What an operator is shown of it, beside what waits for the database.
  var metrics: [any MetricSource] {
    var sources: [any MetricSource] = [failures]
    if let database = database as? SQLiteDatabase { sources.append(ReadMetrics { Self.families(database) }) }
    if let bus { sources.append(ReadMetrics { Self.families(bus.figures) }) }
    return sources
  }

  private static func families(_ database: SQLiteDatabase) -> [MetricFamily] {
    [
      MetricFamily(
        "octet_sqlite_checkpoints_total", .counter, "Times that the log was copied to its end.", database.checkpoints),
      MetricFamily(
        "octet_sqlite_checkpoints_outrun_total", .counter,
        "Times that the log grew faster than it was copied, so that the writer held up the commits to copy the rest.",
        database.outrunCheckpoints),
    ]
  }

  private static func families(_ figures: NATSFigures) -> [MetricFamily] {
    [
      MetricFamily("octet_bus_connected", .gauge, "1 if the bus is reached, 0 if not.", figures.isConnected ? 1 : 0),
      MetricFamily("octet_bus_connects_total", .counter, "Times that the bus was reached.", figures.connects),
      MetricFamily("octet_bus_published_total", .counter, "Messages given to the bus.", figures.published),
      MetricFamily(
        "octet_bus_dropped_total", .counter, "Messages that the bus did not take, or that there was no bus for.",
        figures.dropped),
      MetricFamily("octet_bus_received_total", .counter, "Messages that came by the bus.", figures.received),
    ]
  }
}
