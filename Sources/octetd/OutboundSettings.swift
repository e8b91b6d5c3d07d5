import Couriers
import Notify

/// How what people are told leaves the server.
struct OutboundSettings: Sendable {
  var spool: String

  /// - Parameter data: the data directory, which has the spool by default.
  init(_ values: SettingValues, data: String) throws(UsageError) {
    spool = values[Self.spool] ?? data + "/spool"
  }

  /// Opens the ways out. Whether other servers can be reached shows later.
  func open() throws(StartFailure) -> OutboundWays {
    do {
      let folder = try SpoolFolder(folder: spool)
      return OutboundWays(push: folder, mail: folder, sms: folder)
    } catch {
      throw StartFailure(.storage, "\(spool): \(error)")
    }
  }

  private static let spool = Setting(
    name: "spool", placeholder: "DIR", fallback: nil,
    help: "Where letters to people are laid for which there is no server: by default in --data.")

  static let all = [spool]
}
