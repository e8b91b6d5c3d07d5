import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// The disk fails at one operation after the other of a workload, in every way that `FaultDisk` knows; then the power
/// fails, and the database is opened on a disk that works. OCTET_FAULT_STRIDE=1 tries every operation (`make storm`).
@Suite struct FaultTests {
  private static let stride = ProcessInfo.processInfo.environment["OCTET_FAULT_STRIDE"].flatMap(Int.init) ?? 12
  private static let requests = 24

  private static let schema = Migration(
    "fault", 1, "effects, with nothing that keeps one from being there twice",
    sql: """
      CREATE TABLE effects (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, filling BLOB NOT NULL);
      CREATE INDEX effects_number ON effects (number);
      """)

  /// What a run did before the power failed.
  private struct Run {
    var acknowledged: [Int] = []
    var codes: [StorageError.Code] = []
    /// Whether the engine took writes to the end.
    var tookWrites = true
  }

  @Test(arguments: FaultDisk.Fault.allCases, [true, false])
  func `whatever fails, what was acknowledged is there, and once`(
    _ fault: FaultDisk.Fault, isPowersafe: Bool
  ) async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    let operations = try await attempt(failing: nil, fault, isPowersafe, random)
    // Files are made, a schema, and checkpoints besides the commits.
    #expect(operations > 2 * Self.requests)
    var failing = 1 + Int(random.below(UInt64(Self.stride)))
    while failing <= operations {
      do {
        _ = try await attempt(failing: failing, fault, isPowersafe, random)
      } catch {
        Issue.record("operation \(failing) of \(operations), seed \(seed): \(error)")
      }
      failing += Self.stride
    }
  }

  /// One life of a database with one fault.
  /// - Returns: how many operations there were.
  private func attempt(
    failing: Int?, _ fault: FaultDisk.Fault, _ isPowersafe: Bool, _ random: SeededRandomSource
  ) async throws -> Int {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-fault-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let disk = FaultDisk(failing: failing, fault, isPowersafe: isPowersafe)
    let system = FaultSystem(name: "fault-\(UUID().uuidString)", disk: disk)
    let run = try await live(path, system.name, disk, fault)
    withExtendedLifetime(system) {}
    try disk.losePower(random)

    let database = try await open(path, system: nil)
    let found = try await count(database)
    for number in run.acknowledged { #expect(found[number] == 1, "\(fault) at \(failing ?? 0): lost \(number)") }
    for number in 1...Self.requests { try await request(number, database) }
    let effects = try await count(database)
    #expect(
      effects == Dictionary(uniqueKeysWithValues: (1...Self.requests).map { ($0, 1) }), "\(fault) at \(failing ?? 0)")
    let sound = try await database.read { try $0.first("PRAGMA integrity_check") { $0[0] as String } }
    #expect(sound == "ok", "\(fault) at \(failing ?? 0)")
    await database.close()
    return disk.operations
  }

  private func live(
    _ path: String, _ system: String, _ disk: FaultDisk, _ fault: FaultDisk.Fault
  ) async throws -> Run {
    var run = Run()
    let database: SQLiteDatabase
    do {
      database = try await open(path, system: system)
    } catch let error as StorageError {
      #expect(disk.hasFailed)
      expectHonest(error.code, fault, isOpening: true)
      return run
    }
    for number in 1...Self.requests {
      do {
        try await request(number, database)
        run.acknowledged.append(number)
        // A success after the disk has failed would rest on what nobody knows.
        #expect(run.tookWrites)
      } catch let error as StorageError {
        expectHonest(error.code, fault, isOpening: false)
        run.codes.append(error.code)
        if error.code != .diskFull { run.tookWrites = false }
      }
    }
    // The checkpoint after the last commit may have failed as well, so the other way round does not hold.
    if !run.tookWrites { #expect(database.writeRefusal != nil) }
    if fault == .isFull {
      disk.makeRoom()
      try await request(Self.requests, database)
      run.acknowledged.append(Self.requests)
    }
    await database.close()
    return run
  }

  /// Each fault has the codes that say what it is.
  private func expectHonest(_ code: StorageError.Code, _ fault: FaultDisk.Fault, isOpening: Bool) {
    switch fault {
    case .isFull: #expect(code == .diskFull)
    case .failsOnce: #expect(code == .ioFailure)
    case .dies, .tears: #expect(code == .ioFailure || isOpening && code == .cannotOpen)
    }
  }

  private func open(_ path: String, system: String?) async throws -> SQLiteDatabase {
    var options = SQLiteOptions()
    options.system = system
    options.checkpointPages = 12
    return try await SQLiteDatabase.open(
      path: path, migrations: [Self.schema], clock: ManualClock(), options: options)
  }

  private func request(_ number: Int, _ database: SQLiteDatabase) async throws {
    let id = "00000000-0000-7000-8000-0000000000" + (number < 16 ? "0" : "") + String(number, radix: 16)
    let key = try #require(RequestKey(caller: Identifier(rawValue: 1), method: "effect", requestID: id))
    try await database.write { writer in
      _ = try writer.once(key, hash: [1], now: ManualClock().now()) {
        try writer.execute(
          "INSERT INTO effects (number, filling) VALUES ($1, $2)", number,
          [UInt8](repeating: 1, count: number % 3 * 3000))
        return []
      }
    }
  }

  private func count(_ database: SQLiteDatabase) async throws -> [Int: Int] {
    let rows = try await database.read { reader in
      try reader.rows("SELECT number, count(*) FROM effects GROUP BY number") { ($0[0] as Int, $0[1] as Int) }
    }
    return Dictionary(uniqueKeysWithValues: rows)
  }
}
