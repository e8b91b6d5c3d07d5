internal import CLinux
internal import Synchronization

/// Writes lines to a file descriptor on a thread of its own, so that whoever has something to log never waits for a
/// disk or for the reader of a pipe. When too many lines wait, further ones are dropped and counted.
public final class LineWriter<Entry: Sendable>: Sendable {
  /// How many entries the thread takes at once.
  private static var entriesPerTurn: Int { 256 }

  private let queue: BlockingQueue<Entry>
  private let thread: OSThread
  private let drops: Drops

  private final class Drops: Sendable {
    let count = Atomic(0)
  }

  /// Starts the thread.
  /// - Parameters:
  ///   - name: of the thread.
  ///   - descriptor: stays open as long as the writer lives.
  ///   - limit: how many entries may wait.
  ///   - bytesPerWrite: lines are written together up to this size. For a pipe with several writers at most PIPE_BUF,
  ///     or lines mix.
  ///   - format: makes the line of an entry, without its end; runs on the thread.
  public init(
    name: String, descriptor: Int32, limit: Int, bytesPerWrite: Int, _ format: @escaping @Sendable (Entry) -> String
  ) {
    let queue = BlockingQueue<Entry>(limit: limit)
    let drops = Drops()
    self.queue = queue
    self.drops = drops
    thread = OSThread(name: name) {
      while true {
        let entries = queue.pop(atMost: Self.entriesPerTurn)
        if entries.isEmpty { return }
        var text: [UInt8] = []
        var lines = 0
        for entry in entries {
          let line = format(entry).utf8
          if !text.isEmpty, text.count + line.count + 1 > bytesPerWrite {
            Self.write(text, of: lines, to: descriptor, drops)
            text.removeAll(keepingCapacity: true)
            lines = 0
          }
          text.append(contentsOf: line)
          text.append(UInt8(ascii: "\n"))
          lines += 1
        }
        Self.write(text, of: lines, to: descriptor, drops)
      }
    }
  }

  /// Entries that were not written, since the start.
  public var dropped: Int { drops.count.load(ordering: .relaxed) }

  /// Takes an entry, unless too many wait. From any thread.
  public func write(_ entry: Entry) {
    do {
      try queue.push(entry)
    } catch {
      drops.count.add(1, ordering: .relaxed)
    }
  }

  /// Writes what waits and ends the thread. Blocks. Entries given later are dropped.
  public func close() {
    queue.close()
    thread.join()
  }

  deinit {
    queue.close()
  }

  private static func write(_ text: [UInt8], of lines: Int, to descriptor: Int32, _ drops: Drops) {
    var written = 0
    while written < text.count {
      let count = text.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress! + written, $0.count - written) }
      // The base address of an array that is not empty is not nil.
      if count < 0, lastError == EINTR { continue }
      guard count > 0 else {
        // Nobody reads any more, or the disk is full.
        drops.count.add(lines, ordering: .relaxed)
        return
      }
      written += count
    }
  }
}
