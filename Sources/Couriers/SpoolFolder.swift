public import Base
public import DomainKit

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Writes letters into a folder, for another program to take further: a file of JSON each, named by the letter's key.
///
/// A letter that comes again after a crash takes the place of its first copy. What is in the folder is whole and on
/// disk. Letters hold addresses and, in mails, codes in clear: the folder is the server's user's alone.
public final class SpoolFolder: Outbound {
  /// Threads that write; each letter waits for the disk twice.
  private static let threads = 2
  /// Letters that wait for a thread; more than all ways of a node send at the same time.
  private static let waiting = 256

  private let folder: String
  private let pool: BlockingPool

  /// Makes the folder if there is none.
  /// - Throws: `FileError`.
  public init(folder: String) throws(FileError) {
    try DiskFolder.make(folder)
    self.folder = folder
    pool = BlockingPool(name: "spool", threads: Self.threads, waiting: Self.waiting)
  }

  public func accepts(_ address: String) -> Bool { true }

  public func send(_ letter: OutboundLetter) async -> SendOutcome {
    do {
      let folder = folder
      try await pool.run { try Self.write(letter, into: folder) }
      return .accepted
    } catch {
      return .retry("\(error)")
    }
  }

  public func close() async {
    // The threads end by themselves; whoever waits for one more letter is told to come again.
    pool.close()
  }

  private static func write(_ letter: OutboundLetter, into folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = try Array(encoder.encode(letter))
    // Names with a dot in front are not letters yet. The same letter rewrites the same file, so nothing piles up.
    let temporary = "\(folder)/.\(letter.key)"
    let file = try DiskFile(temporary, .readWrite)
    try file.truncate(to: 0)
    try file.write(bytes, at: 0)
    try file.synchronize()
    try DiskFolder.rename(temporary, to: "\(folder)/\(letter.key).json")
    try DiskFolder.synchronize(folder)
  }
}
