import Base
import Storage
import StorageSQLite
import Testing

@Test func `writes, reads, replays and runs timers`() async throws {
  let clock = ManualClock()
  let rides = Migration(
    "rides", 1, "rides", sql: "CREATE TABLE rides (id INTEGER PRIMARY KEY, rider TEXT NOT NULL, note TEXT);")
  let database = try await SQLiteDatabase.openTemporary(migrations: [rides], clock: clock)
  let id = IdentifierGenerator(clock: clock).next()
  try await database.write { writer in
    try writer.execute("INSERT INTO rides (id, rider, note) VALUES ($1, $2, $3)", id, "ann", nil as String?)
  }
  let rows = try await database.read { reader in
    try reader.rows("SELECT id, rider, note FROM rides WHERE rider = $1", "ann") { row in
      (id: row[0] as Identifier, rider: row[1] as String, note: row[2] as String?)
    }
  }
  #expect(rows.map(\.id) == [id])
  #expect(rows.first?.note == nil)
  let timers = Timers(database: database, clock: clock, random: SeededRandomSource(seed: 1))
  timers.handle("expire") { writer, timer in
    try writer.execute("UPDATE rides SET note = $1", timer.key)
  }
  try await database.write { try timers.set("expire", key: "a", due: clock.now() + .seconds(1), in: $0) }
  #expect(try await timers.runDue() == 0)
  clock.advance(by: .seconds(1))
  #expect(try await timers.runDue() == 1)
  #expect(try await database.read { try $0.first("SELECT note FROM rides") { $0[0] as String } } == "a")
  await database.close()
}
