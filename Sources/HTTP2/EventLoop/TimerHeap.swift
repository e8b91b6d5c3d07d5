/// The timers of one event loop: a binary heap ordered by time that knows where each timer stands, so that cancelling
/// one removes it at once. A deadline of every call passes through here, and nearly all are cancelled.
struct TimerHeap {
  typealias Work = @Sendable () -> Void

  /// Names one timer; stays unique when its slot is used again.
  struct Key: Equatable {
    var slot: Int32
    var generation: UInt32
  }

  private struct Slot {
    /// The index in `heap`, or -1 while the slot is free.
    var position: Int32
    var generation: UInt32
    var work: Work?
  }

  private struct Node {
    var deadline: Int64
    /// Keeps timers of one deadline in the order of their making.
    var sequence: UInt64
    var slot: Int32

    static func precedes(_ a: Node, _ b: Node) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence
    }
  }

  private var heap: [Node] = []
  private var slots: [Slot] = []
  private var freeSlots: [Int32] = []
  private var sequence: UInt64 = 0

  /// The number of timers that wait.
  var count: Int { heap.count }

  /// The deadline of the first timer, in nanoseconds of the loop's clock.
  var nextDeadline: Int64? { heap.first?.deadline }

  /// Adds a timer.
  mutating func insert(deadline: Int64, _ work: @escaping Work) -> Key {
    let slot: Int32
    if let free = freeSlots.popLast() {
      slot = free
      slots[Int(slot)].work = work
    } else {
      slot = Int32(slots.count)
      slots.append(Slot(position: -1, generation: 0, work: work))
    }
    sequence += 1
    heap.append(Node(deadline: deadline, sequence: sequence, slot: slot))
    siftUp(heap.count - 1)
    return Key(slot: slot, generation: slots[Int(slot)].generation)
  }

  /// Removes a timer.
  /// - Returns: its work, for the caller to drop outside of this call (dropping may run deinits that come back here);
  ///   nil if the timer has run or was cancelled before.
  mutating func remove(_ key: Key) -> Work? {
    guard slots[Int(key.slot)].generation == key.generation, slots[Int(key.slot)].position >= 0 else { return nil }
    return remove(at: Int(slots[Int(key.slot)].position))
  }

  /// Takes the first timer out if its deadline is `now` or before.
  mutating func popDue(now: Int64) -> Work? {
    guard let first = heap.first, first.deadline <= now else { return nil }
    return remove(at: 0)
  }

  private mutating func remove(at position: Int) -> Work? {
    let slot = Int(heap[position].slot)
    let last = heap.removeLast()
    if position < heap.count {
      heap[position] = last
      siftDown(position)
      siftUp(position)
    }
    let work = slots[slot].work
    slots[slot].work = nil
    slots[slot].position = -1
    slots[slot].generation &+= 1
    freeSlots.append(Int32(slot))
    return work
  }

  private mutating func siftUp(_ start: Int) {
    var position = start
    let node = heap[position]
    while position > 0 {
      let parent = (position - 1) / 2
      guard Node.precedes(node, heap[parent]) else { break }
      place(heap[parent], at: position)
      position = parent
    }
    place(node, at: position)
  }

  private mutating func siftDown(_ start: Int) {
    var position = start
    let node = heap[position]
    while true {
      var child = 2 * position + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, Node.precedes(heap[child + 1], heap[child]) { child += 1 }
      guard Node.precedes(heap[child], node) else { break }
      place(heap[child], at: position)
      position = child
    }
    place(node, at: position)
  }

  private mutating func place(_ node: Node, at position: Int) {
    heap[position] = node
    slots[Int(node.slot)].position = Int32(position)
  }
}
