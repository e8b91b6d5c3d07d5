public import Base
import FoundationEssentials
import Glibc
import HTTP2
import Identity
import Storage
import StorageSQLite
import Streaming

/// What octetd does, for programs that serve further domains with it.
///
///     @main struct Shop {
///       static func main() {
///         ServerProgram(adding: [AddedDomain { ShopDomain($0) }]).run()
///       }
///     }
public struct ServerProgram: Sendable {
  private let catalog: DomainCatalog
  private let clock: any WallClock

  /// - Parameters:
  ///   - added: domains beside those that every server has.
  ///   - clock: what time it is for all of them.
  public init(adding added: [AddedDomain] = [], clock: any WallClock = SystemClock()) {
    catalog = DomainCatalog(adding: added)
    self.clock = clock
  }

  /// Does what the command line says, and ends the process.
  ///
  /// Not async, and to be called by a `main` that is not: signals have to be blocked in the first thread before there is
  /// another, and the body of an async `main` may already run on a second one.
  public func run() -> Never {
    let (signals, arrived) = AsyncStream.makeStream(of: Int32.self)
    OpenFiles.raiseLimit()
    Signals.handle([Signals.terminate, Signals.interrupt, Signals.hangUp]) { arrived.yield($0) }
    // Detached, as `main` belongs to the main actor, whose thread waits below.
    Task.detached { exit(await run(signals).rawValue) }
    while true { pause() }
  }

  private func run(_ signals: AsyncStream<Int32>) async -> ExitCode {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.contains("--help") || arguments.contains("-h") {
      print(Configuration.help, terminator: "")
      return .success
    }
    let values: SettingValues
    let configuration: Configuration
    do throws(UsageError) {
      values = try SettingValues(arguments: arguments, environment: ProcessInfo.processInfo.environment)
      configuration = try Configuration(values, domains: catalog.names)
    } catch {
      complain("octetd: \(error.message)\nTry octetd --help.\n")
      return .usage
    }
    let log = Log(level: configuration.logLevel)
    do throws(StartFailure) {
      try await dispatch(values, configuration, log, signals)
    } catch {
      log.error("start_failed", ["message": .text(error.message)])
      return error.code
    }
    return .success
  }

  /// Writes to standard error, before there is a configured log.
  private func complain(_ text: String) {
    var text = text
    text.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }

  private func dispatch(
    _ values: SettingValues, _ configuration: Configuration, _ log: Log, _ signals: AsyncStream<Int32>
  ) async throws(StartFailure) {
    let operands = values.operands
    switch (operands.first, operands.count) {
    case ("backup", 1), ("restore", 1):
      let copy = try DatabaseCopy(values, data: configuration.data, log: log)
      try await copy.run(at: databaseFile(configuration, for: operands[0]))
    case _ where Setting.ofSubcommands.contains { values[$0] != nil }:
      throw StartFailure(.usage, "--to, --from and --force belong to octetd backup and octetd restore")
    case ("restored", 1): try await beginHistory(configuration, log)
    case ("scrub", 1): try await scrub(configuration, log)
    case (nil, _): try await serve(configuration, log, signals)
    case ("grant-role", 3): try await grantRole(handle: operands[1], role: operands[2], configuration, log)
    case ("grant-role", _): throw StartFailure(.usage, "usage: octetd grant-role HANDLE ROLE")
    case (.some(let word), _): throw StartFailure(.usage, "unknown subcommand \(word)")
    }
  }

  /// The file that a subcommand works on.
  ///
  /// Refused when the data is in PostgreSQL: what an earlier server has left in the data directory would be taken for it,
  /// and a backup would be an old one without a word.
  private func databaseFile(
    _ configuration: Configuration, for subcommand: String
  ) throws(StartFailure) -> String {
    guard configuration.database == nil else {
      throw StartFailure(
        .usage,
        "octetd \(subcommand) is for SQLite, and the settings name a PostgreSQL database: use PostgreSQL's own tools")
    }
    return House.databasePath(configuration.data)
  }

  private func scrub(_ configuration: Configuration, _ log: Log) async throws(StartFailure) {
    let file = try databaseFile(configuration, for: "scrub")
    do {
      let bytes = try await SQLiteRewrite.run(file)
      log.info("scrubbed", ["bytes": .integer(Int64(bytes))])
    } catch {
      throw StartFailure(error, opening: configuration.data)
    }
  }

  /// After the database was put back by other tools: what clients have kept of what happened since is not taken for what
  /// happens from now on.
  private func beginHistory(_ configuration: Configuration, _ log: Log) async throws(StartFailure) {
    let file = House.databasePath(configuration.data)
    guard configuration.database != nil || FileManager.default.fileExists(atPath: file) else {
      throw StartFailure(.storage, "there is no database in \(configuration.data)")
    }
    // A name that was mistyped may be that of somebody's database, which is to get no tables of ours.
    let database = try await House.open(configuration, catalog, clock, onlyIfUsed: true)
    do {
      try await database.write { try DatabaseHistory.begin(in: $0, random: SystemRandomSource()) }
    } catch {
      await database.close()
      throw StartFailure(error, opening: "the database")
    }
    await database.close()
    log.info("history_begun")
  }

  private func grantRole(
    handle: String, role: String, _ configuration: Configuration, _ log: Log
  ) async throws(StartFailure) {
    let house = try await House(configuration, catalog: catalog, clock: clock, log: log)
    do {
      try await house.identity.grantRole(handle: handle, role: role)
    } catch {
      await house.close()
      throw error is CommandError
        ? StartFailure(.noSuchObject, "\(error)") : StartFailure(error, opening: configuration.data)
    }
    await house.close()
  }

  private func serve(
    _ configuration: Configuration, _ log: Log, _ signals: AsyncStream<Int32>
  ) async throws(StartFailure) {
    guard !configuration.listen.isEmpty || !configuration.tlsListen.isEmpty else {
      throw StartFailure(.usage, "nothing to listen on: give --listen or --tls-listen")
    }
    let house = try await House(configuration, catalog: catalog, clock: clock, log: log)
    let isNodeLost = Locked(false)
    let front: Front
    do {
      front = try Front(configuration, house: house, log: log)
      if configuration.seedDemo { try await house.seedDemo() }
      try await house.start {
        log.error(
          "node_lost", ["message": .text("another process has taken this node's number, or the database was restored")])
        isNodeLost.withLock { $0 = true }
        kill(getpid(), Signals.terminate)
      }
      try await front.start()
    } catch {
      await house.stop()
      throw StartFailure(error, opening: configuration.data)
    }
    print(front.readyLine)
    fflush(nil)
    log.info("started", ["data": .text(configuration.data)])

    for await signal in signals {
      guard signal == Signals.hangUp else { break }
      if !configuration.tlsListen.isEmpty { reloadCertificate(of: front, log) }
    }
    log.info("draining", ["within_s": .integer(configuration.drainTimeout.components.seconds)])
    house.hub.close()
    await front.drain(within: configuration.drainTimeout)
    await house.stop()
    log.info("stopped")
    if isNodeLost.withLock({ $0 }) {
      throw StartFailure(.storage, "this node's number belongs to another process now, or the database was restored")
    }
  }

  private func reloadCertificate(of front: Front, _ log: Log) {
    do {
      try front.server.reloadCertificate()
      log.info("certificate_reloaded")
    } catch {
      log.error("certificate_not_reloaded", ["message": .text("\(error)")])
    }
  }
}
