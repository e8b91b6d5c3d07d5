import Base
import Foundation

/// A disk that keeps apart what was written and what is durable, and that fails once, or for good, at a chosen
/// operation.
///
/// The files themselves play the page cache: programs read from them what they wrote. Beside each there is what a power
/// loss leaves: its content at the last successful sync, and the writes since, of which any may or may not arrive, whole
/// or torn. As on Linux since 4.13, a sync that fails loses these writes; it is reported once through each opening of
/// the file, and after that no sync says anything of them.
final class FaultDisk: Sendable {
  enum Fault: Sendable, CaseIterable {
    /// One write, sync or cut fails; everything works afterwards.
    case failsOnce
    /// There is no room from then on, until there is again.
    case isFull
    /// There is no room for one write; for the next one there is.
    case isFullOnce
    /// Nothing works from then on.
    case dies
    /// A write arrives in part, then nothing works.
    case tears
  }

  enum Outcome {
    case works
    case fails
    case isFull
    /// Only the first bytes arrive.
    case tears
  }

  enum Operation {
    case write
    case sync
    case other
  }

  private enum Change {
    case write(offset: Int, bytes: [UInt8])
    case cut(size: Int)
  }

  private struct File {
    var durable: [UInt8]
    var pending: [Change] = []
    /// The openings of the file, and whether a failure is still to be reported through each.
    var openings: [UInt: Bool] = [:]

    mutating func apply(_ change: Change) {
      switch change {
      case .write(let offset, let bytes):
        if durable.count < offset + bytes.count {
          durable += [UInt8](repeating: 0, count: offset + bytes.count - durable.count)
        }
        durable.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
      case .cut(let size):
        durable = Array(durable.prefix(size))
      }
    }
  }

  private struct State {
    var operations = 0
    var failing: (operation: Int, fault: Fault)?
    var isFull = false
    var isDead = false
    var hasFailed = false
    /// The file whose next sync fails, and the thread that it fails for; nil for any.
    var unsyncable: (path: String, thread: String?)?
    /// The file of which the next read fails, and the thread that it fails for.
    var unreadable: (path: String, thread: String)?
    var files: [String: File] = [:]
  }

  private let state = Locked(State())
  /// Whether SQLite is told that a torn write leaves what lies beside it as it was, as the operating system's VFS says.
  let isPowersafe: Bool
  private let willSync: (@Sendable (_ path: String, _ writes: Int) -> Void)?
  private let willRead: (@Sendable (_ path: String) -> Void)?
  private let willWrite: (@Sendable (_ path: String) -> Void)?

  /// - Parameters:
  ///   - failing: the number of the operation at which `fault` happens, from 1.
  ///   - isPowersafe: whether SQLite is told that a torn write leaves what lies beside it as it was.
  ///   - willSync: called before a file is synced, on the thread that does it, with the number of writes since its last sync.
  ///   - willRead: called before a file is read, on the thread that does it.
  ///   - willWrite: called before a file is written, on the thread that does it.
  init(
    failing: Int? = nil, _ fault: Fault = .failsOnce, isPowersafe: Bool = true,
    willSync: (@Sendable (_ path: String, _ writes: Int) -> Void)? = nil,
    willRead: (@Sendable (_ path: String) -> Void)? = nil,
    willWrite: (@Sendable (_ path: String) -> Void)? = nil
  ) {
    self.isPowersafe = isPowersafe
    self.willSync = willSync
    self.willRead = willRead
    self.willWrite = willWrite
    state.withLock { $0.failing = failing.map { ($0, fault) } }
  }

  /// How many operations there were that could fail.
  var operations: Int { state.withLock { $0.operations } }

  /// Whether the fault has happened.
  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  var isDead: Bool { state.withLock { $0.isDead } }

  /// The name of the thread that asks.
  static var thread: String {
    (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))?.trimmingCharacters(in: .newlines) ?? ""
  }

  private func pendingWrites(to path: String) -> Int {
    state.withLock { state in
      state.files[path]?.pending.count { if case .write = $0 { true } else { false } } ?? 0
    }
  }

  /// The next operation meets a fault.
  func fail(_ fault: Fault) {
    state.withLock { $0.failing = ($0.operations + 1, fault) }
  }

  /// There is room again.
  func makeRoom() {
    state.withLock { $0.isFull = false }
  }

  /// What becomes of the next operation.
  func next(_ operation: Operation) -> Outcome {
    state.withLock { state in
      if state.isDead { return .fails }
      state.operations += 1
      if let failing = state.failing, failing.operation == state.operations {
        state.hasFailed = true
        switch failing.fault {
        case .failsOnce: return .fails
        case .isFull: state.isFull = true
        case .isFullOnce: return operation == .write ? .isFull : .works
        case .dies, .tears:
          state.isDead = true
          return failing.fault == .tears && operation == .write ? .tears : .fails
        }
      }
      // What is full still takes a cut or a sync.
      return state.isFull && operation == .write ? .isFull : .works
    }
  }

  /// - Returns: whether a read of a file works.
  func reads(_ path: String) -> Bool {
    willRead?(path)
    return state.withLock { state in
      if state.isDead { return false }
      guard let unreadable = state.unreadable, unreadable == (path, Self.thread) else { return true }
      state.unreadable = nil
      return false
    }
  }

  /// The next read of a file by a thread fails, and nothing else.
  func failRead(of path: String, by thread: String) {
    state.withLock { $0.unreadable = (path, thread) }
  }

  /// Whether a read that was to fail has not come yet.
  var awaitsRead: Bool { state.withLock { $0.unreadable != nil } }

  /// The next sync of a file fails, and nothing else.
  /// - Parameter thread: whose sync it is; nil if that does not matter.
  func failSync(of path: String, by thread: String? = nil) {
    state.withLock { $0.unsyncable = (path, thread) }
  }

  /// Syncs a file through one of its openings.
  /// - Returns: whether what was written to it is durable.
  func sync(_ path: String, _ opening: UInt) -> Bool {
    if let willSync { willSync(path, pendingWrites(to: path)) }
    let isChosen = state.withLock { state in
      guard let unsyncable = state.unsyncable, unsyncable.path == path,
        unsyncable.thread == nil || unsyncable.thread == Self.thread
      else { return false }
      state.unsyncable = nil
      return true
    }
    let works = !isChosen && next(.sync) == .works
    return state.withLock { state in
      guard var file = state.files.removeValue(forKey: path) else { return works }
      defer { state.files[path] = file }
      let hasFailed = file.openings.updateValue(false, forKey: opening) == true
      // What was to be written when the power fails may still arrive.
      if state.isDead { return false }
      if works && !hasFailed {
        for change in file.pending { file.apply(change) }
      } else if !works {
        for other in file.openings.keys where other != opening { file.openings[other] = true }
      }
      file.pending = []
      return works && !hasFailed
    }
  }

  /// - Parameter opening: a number that no other opening has at the time.
  func opened(_ path: String, _ opening: UInt) {
    state.withLock { state in
      if state.files[path] == nil {
        state.files[path] = File(durable: FileManager.default.contents(atPath: path).map { Array($0) } ?? [])
      }
      state.files[path]?.openings[opening] = false
    }
  }

  func closed(_ path: String, _ opening: UInt) {
    state.withLock { _ = $0.files[path]?.openings.removeValue(forKey: opening) }
  }

  func writes(_ path: String) {
    willWrite?(path)
  }

  func wrote(_ path: String, _ bytes: [UInt8], at offset: Int) {
    state.withLock { $0.files[path]?.pending.append(.write(offset: offset, bytes: bytes)) }
  }

  func cut(_ path: String, to size: Int) {
    state.withLock { $0.files[path]?.pending.append(.cut(size: size)) }
  }

  func deleted(_ path: String) {
    state.withLock { $0.files[path] = nil }
  }

  /// Lays out the files as they may be after the power failed. Nothing may have them open.
  func losePower(_ random: SeededRandomSource) throws {
    let files = state.withLock { $0.files }
    for (path, file) in files.sorted(by: { $0.key < $1.key }) {
      var file = file
      for change in file.pending {
        switch (change, random.below(3)) {
        case (_, 0): break
        case (.write(let offset, let bytes), 1):
          file.apply(.write(offset: offset, bytes: Array(bytes.prefix(bytes.count / 2))))
        case (let change, _): file.apply(change)
        }
      }
      try Data(file.durable).write(to: URL(filePath: path))
    }
  }
}
