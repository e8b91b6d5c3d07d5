internal import RPC
internal import Synchronization

/// The counters of one method on one executor.
///
/// Only the executor's thread adds, so adding is a plain load and store: no locked instruction, no line of cache that
/// other cores write too. Other threads may read at any time. What short calls touch comes first, so that it shares a
/// line or two.
final class CallCounters: Sendable {
  /// What is counted, by position.
  enum Slot {
    static let started = 0
    static let nanoseconds = 1
    static let bytesReceived = 2
    static let bytesSent = 3
    static let messagesReceived = 4
    static let messagesSent = 5
    static let firstBucket = 6
    static let firstCode = 6 + DurationBuckets.count
    static let codeCount = 17
  }

  private let values = InlineArray<40, Atomic<Int>> { _ in Atomic(0) }
  /// Whether several threads add.
  private let isShared: Bool

  init(isShared: Bool) {
    self.isShared = isShared
  }

  func began() { add(1, to: Slot.started) }

  func ended(_ status: StatusCode, nanoseconds: Int64, _ counts: CallCounts) {
    add(1, to: Slot.firstCode + status.rawValue)
    add(1, to: Slot.firstBucket + DurationBuckets.index(nanoseconds))
    add(Int(nanoseconds), to: Slot.nanoseconds)
    add(counts.bytesReceived, to: Slot.bytesReceived)
    add(counts.bytesSent, to: Slot.bytesSent)
    add(counts.messagesReceived, to: Slot.messagesReceived)
    add(counts.messagesSent, to: Slot.messagesSent)
  }

  @inline(__always)
  private func add(_ count: Int, to slot: Int) {
    if isShared {
      values[slot].wrappingAdd(count, ordering: .relaxed)
    } else {
      values[slot].store(values[slot].load(ordering: .relaxed) &+ count, ordering: .relaxed)
    }
  }

  func value(_ slot: Int) -> Int { values[slot].load(ordering: .relaxed) }
}

/// Sums of `CallCounters`, as read at one time or nearly so: a call that ends meanwhile may be in some and not in others.
struct CallTotals {
  private(set) var values = [Int](repeating: 0, count: CallCounters.Slot.firstCode + CallCounters.Slot.codeCount)

  mutating func add(_ counters: CallCounters) {
    for slot in values.indices { values[slot] += counters.value(slot) }
  }

  subscript(slot: Int) -> Int { values[slot] }
  func handled(_ code: StatusCode) -> Int { values[CallCounters.Slot.firstCode + code.rawValue] }
  var handled: Int { values[CallCounters.Slot.firstCode...].reduce(0, +) }
  /// In order, not cumulated.
  var buckets: ArraySlice<Int> {
    values[CallCounters.Slot.firstBucket..<CallCounters.Slot.firstBucket + DurationBuckets.count]
  }
}
