#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The zones of the tz database on this machine, read when they are first asked for.
public final class TimeZones: Sendable {
  private let folder: String
  private let tables = Locked<[String: TimeZoneTable]>([:])

  /// - Parameter folder: where the files of the tz database lie.
  public init(folder: String = "/usr/share/zoneinfo") {
    self.folder = folder
  }

  /// The zone of that name, such as "Europe/Helsinki"; nil if there is none.
  public func table(_ name: String) -> TimeZoneTable? {
    if let table = tables.withLock({ $0[name] }) { return table }
    guard Self.isPlausible(name), let content = try? Data(contentsOf: URL(filePath: folder + "/" + name)),
      let table = TimeZoneTable(name: name, Array(content))
    else { return nil }
    tables.withLock { $0[name] = table }
    return table
  }

  /// Whether the name cannot lead out of the folder: words of letters, digits, `+`, `-`, `_` with slashes between.
  private static func isPlausible(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { word in
        !word.isEmpty
          && word.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
              UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"):
              true
            default: false
            }
          }
      }
  }
}
