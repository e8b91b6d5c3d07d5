import Base
import StorageSQLite

/// `octetd backup` and `octetd restore`: copies of the database, made while it is served, and put back while it is not.
struct DatabaseCopy {
  private let isBackup: Bool
  private let file: String
  private let replaces: Bool
  private let data: String
  private let log: Log

  /// - Parameter values: their first operand is the subcommand.
  init(_ values: SettingValues, data: String, log: Log) throws(StartFailure) {
    isBackup = values.operands.first == "backup"
    let (own, other) = isBackup ? (Setting.to, Setting.from) : (Setting.from, Setting.to)
    guard let file = values[own], values[other] == nil else {
      throw StartFailure(
        .usage, "usage: octetd \(isBackup ? "backup --to" : "restore --from") FILE [--force] --data DIR")
    }
    self.file = file
    self.data = data
    self.log = log
    do {
      replaces = try values.isOn(.force)
    } catch {
      throw StartFailure(.usage, error.message)
    }
  }

  /// - Parameter path: of the database.
  func run(at path: String) async throws(StartFailure) {
    do {
      if isBackup {
        let bytes = try await SQLiteBackup.backUp(path, to: file, replaces: replaces)
        log.info("backed_up", ["to": .text(file), "bytes": .integer(Int64(bytes))])
      } else {
        let bytes = try await SQLiteBackup.restore(from: file, to: path, replaces: replaces)
        log.info("restored", ["from": .text(file), "bytes": .integer(Int64(bytes))])
      }
    } catch {
      throw StartFailure(error, opening: isBackup ? data : file)
    }
  }
}
