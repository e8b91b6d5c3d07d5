import Foundation

/// A file of `Tests/Golden`.
public enum GoldenFile {
  /// The text that is checked in; with `OCTET_UPDATE_GOLDEN=1` `text` is written there first.
  public static func read(_ name: String, updatedTo text: String) throws -> String {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden/\(name)").standardized
    if ProcessInfo.processInfo.environment["OCTET_UPDATE_GOLDEN"] == "1" {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    return try String(contentsOf: file, encoding: .utf8)
  }
}
