import Foundation

/// A file of `Tests/Golden`.
public enum GoldenFile {
  /// Whether what tests find is to be written there.
  private static let isUpdated = ProcessInfo.processInfo.environment["OCTET_UPDATE_GOLDEN"] == "1"

  private static func place(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden/\(name)").standardized
  }

  /// The text that is checked in.
  public static func read(_ name: String) throws -> String { try String(contentsOf: place(name), encoding: .utf8) }

  /// The text that is checked in; with `OCTET_UPDATE_GOLDEN=1` `text` is written there first.
  public static func read(_ name: String, updatedTo text: String) throws -> String {
    if isUpdated { try text.write(to: place(name), atomically: true, encoding: .utf8) }
    return try read(name)
  }
}
