import Base
import Foundation
import Storage
import StorageSQLite
import Testing

/// The disk fails at one operation after the other of a workload, in every way that `FaultDisk` knows; then the power
/// fails, and the database is opened on a disk that works. OCTET_FAULT_STRIDE=1 tries every operation (`make storm`).
@Suite struct FaultTests {
  private static let stride = ProcessInfo.processInfo.environment["OCTET_FAULT_STRIDE"].flatMap(Int.init) ?? 12
  private static let allOnce = Dictionary(uniqueKeysWithValues: (1...FaultLoad.requests).map { ($0, [1, 1, 1, 1]) })

  /// What a run did before the power failed.
  private struct Run {
    var acknowledged: Set<Int> = []
    var told: Set<Int> = []
    /// Whether the engine took writes to the end.
    var tookWrites = true
  }

  /// One caller, or several whose transactions share commits.
  enum Callers: Int, CaseIterable {
    case one = 1
    case several = 6
  }

  /// Who asks, and whether the disk promises that an overwrite which power ends leaves the bytes beside it alone.
  struct Conditions {
    static let all = Callers.allCases.flatMap { callers in
      [true, false].map { Conditions(callers: callers, isPowersafe: $0) }
    }
    let callers: Callers
    let isPowersafe: Bool
  }

  @Test(arguments: FaultDisk.Fault.allCases, Conditions.all)
  func `whatever fails, what was acknowledged is there, and once`(
    _ fault: FaultDisk.Fault, _ conditions: Conditions
  ) async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let random = SeededRandomSource(seed: seed)
    let operations = try await attempt(failing: nil, fault, conditions, random)
    // Files are made, a schema, and checkpoints besides the commits.
    #expect(operations > 2 * FaultLoad.requests / conditions.callers.rawValue)
    var failing = 1 + Int(random.below(UInt64(Self.stride)))
    while failing <= operations {
      do {
        _ = try await attempt(failing: failing, fault, conditions, random)
      } catch {
        Issue.record("operation \(failing) of \(operations), seed \(seed): \(error)")
      }
      failing += Self.stride
    }
  }

  /// One life of a database with one fault.
  /// - Returns: how many operations there were.
  private func attempt(
    failing: Int?, _ fault: FaultDisk.Fault, _ conditions: Conditions, _ random: SeededRandomSource
  ) async throws -> Int {
    let directory = FileManager.default.temporaryDirectory.appending(path: "octet-fault-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appending(path: "octet.db").path
    let disk = FaultDisk(failing: failing, fault, isPowersafe: conditions.isPowersafe)
    let system = FaultSystem(name: "fault-\(UUID().uuidString)", disk: disk)
    let run = try await live(path, system.name, disk, fault, conditions.callers)
    withExtendedLifetime(system) {}
    try disk.losePower(random)

    let load = FaultLoad(try await open(path, system: nil))
    let place: Comment = "\(fault) at \(failing ?? 0)"
    let found = try await load.traces()
    // All of a transaction or nothing of it, and nothing of what was refused.
    #expect(found == Self.allOnce.filter { found[$0.key] != nil }, place)
    #expect(run.acknowledged.isSubset(of: found.keys), place)
    #expect(run.told.isSubset(of: found.keys), place)
    #expect(run.acknowledged == run.told, place)
    for number in 1...FaultLoad.requests { try await load.request(number) }
    #expect(try await load.traces() == Self.allOnce, place)
    await load.database.close()
    return disk.operations
  }

  private func live(
    _ path: String, _ system: String, _ disk: FaultDisk, _ fault: FaultDisk.Fault, _ callers: Callers
  ) async throws -> Run {
    let database: SQLiteDatabase
    do {
      database = try await open(path, system: system)
    } catch let error as StorageError {
      #expect(disk.hasFailed)
      expectHonest(error.code, fault, isOpening: true)
      return Run()
    }
    let (load, run) = (FaultLoad(database), Locked(Run()))
    for first in Swift.stride(from: 1, through: FaultLoad.requests, by: callers.rawValue) {
      try await serve(Array(first..<(first + callers.rawValue)), load, run, fault)
    }
    // The checkpoint after the last commit may have failed as well, so the other way round does not hold.
    if !run.withLock({ $0.tookWrites }) { #expect(database.writeRefusal != nil) }
    if fault == .isFull {
      disk.makeRoom()
      try await load.request(FaultLoad.requests)
      run.withLock { _ = $0.acknowledged.insert(FaultLoad.requests) }
    }
    if fault == .isFullOnce { #expect(database.writeRefusal == nil) }
    await database.close()
    run.withLock { $0.told = load.told.withLock { $0 } }
    return run.withLock { $0 }
  }

  /// Serves requests one after the other or, if they are several, in one commit, with one of them asked twice. The first
  /// ones do so alone, then one that changes its mind is among them: from then on the engine is cautious.
  private func serve(
    _ numbers: [Int], _ load: FaultLoad, _ run: Locked<Run>, _ fault: FaultDisk.Fault
  ) async throws {
    let tookWrites = run.withLock { $0.tookWrites }
    @Sendable func judge(_ number: Int?, _ call: () async throws -> Void) async {
      do {
        try await call()
        guard let number else { return }
        // A success after the disk has failed would rest on what nobody knows.
        #expect(tookWrites)
        run.withLock { _ = $0.acknowledged.insert(number) }
      } catch let error as StorageError {
        expectHonest(error.code, fault, isOpening: false)
        if error.code != .diskFull { run.withLock { $0.tookWrites = false } }
      } catch {
        Issue.record(error)
      }
    }
    guard numbers.count > 1 else {
      for number in numbers { await judge(number) { try await load.request(number) } }
      return
    }
    var calls: [@Sendable () async -> Void] = []
    for number in numbers + [numbers[0]] {
      calls.append { await judge(number) { try await load.request(number) } }
      if numbers[0] > 1, calls.count == 3 { calls.append { await judge(nil) { try await load.refuse(1000) } } }
    }
    try await load.together(calls)
  }

  /// Each fault has the codes that say what it is.
  private func expectHonest(_ code: StorageError.Code, _ fault: FaultDisk.Fault, isOpening: Bool) {
    switch fault {
    case .isFull, .isFullOnce: #expect(code == .diskFull)
    case .failsOnce: #expect(code == .ioFailure)
    case .dies, .tears: #expect(code == .ioFailure || isOpening && code == .cannotOpen)
    }
  }

  private func open(_ path: String, system: String?) async throws -> SQLiteDatabase {
    var options = SQLiteOptions()
    options.system = system
    options.checkpointPages = 12
    // What a transaction has changed does not fit and goes to the disk before the commit: that may fail, too.
    options.writerCacheMiB = 0
    return try await SQLiteDatabase.open(
      path: path, migrations: FaultLoad.migrations, clock: ManualClock(), options: options)
  }
}
