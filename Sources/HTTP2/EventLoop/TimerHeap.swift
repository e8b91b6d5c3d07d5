/// The timers of one event loop: a binary heap ordered by time that knows where each timer stands, so that cancelling
/// one removes it at once. A deadline of every call passes through here, and nearly all are cancelled, most of them in
/// the tick in which they were made: so a timer gets its place in the heap only when `settle` is called, between ticks.
struct TimerHeap {
  typealias Work = @Sendable () -> Void

  /// Names one timer; stays unique when its slot is used again.
  struct Key: Equatable {
    var slot: Int32
    var generation: UInt32
  }

  private struct Slot {
    /// The index in `heap`, or one of the two below.
    var position: Int32
    var generation: UInt32
    var work: Work?

    static let free: Int32 = -1
    /// The timer is among the `fresh` ones.
    static let fresh: Int32 = -2

    /// Takes a timer; returns the generation that it is of.
    mutating func occupy(_ work: @escaping Work) -> UInt32 {
      self.work = work
      position = Slot.fresh
      return generation
    }

    mutating func vacate() -> Work? {
      position = Slot.free
      generation &+= 1
      return work.take()
    }
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
  /// Timers without a place in the heap, cancelled ones among them: the generation of their slot is another.
  private var fresh: [(node: Node, generation: UInt32)] = []
  private var slots: [Slot] = []
  private var freeSlots: [Int32] = []
  private var sequence: UInt64 = 0

  /// The number of timers that wait.
  var count: Int { slots.count - freeSlots.count }

  /// The deadline of the first timer that has settled, in nanoseconds of the loop's clock.
  var nextDeadline: Int64? { heap.first?.deadline }

  /// Gives the timers that were made since the last call their places. Before it they are neither the next nor due.
  mutating func settle() {
    guard !fresh.isEmpty else { return }
    for (node, generation) in fresh where slots[Int(node.slot)].generation == generation {
      heap.append(node)
      siftUp(heap.count - 1)
    }
    fresh.removeAll(keepingCapacity: fresh.count <= HTTP2Limits.keptQueuePlaces)
  }

  /// Adds a timer.
  mutating func insert(deadline: Int64, _ work: @escaping Work) -> Key {
    let slot: Int32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = Int32(slots.count)
      slots.append(Slot(position: Slot.free, generation: 0, work: nil))
    }
    sequence += 1
    let generation = slots[Int(slot)].occupy(work)
    fresh.append((Node(deadline: deadline, sequence: sequence, slot: slot), generation))
    return Key(slot: slot, generation: generation)
  }

  /// Removes a timer.
  /// - Returns: its work, for the caller to drop outside of this call (dropping may run deinits that come back here);
  ///   nil if the timer has run or was cancelled before.
  mutating func remove(_ key: Key) -> Work? {
    let slot = Int(key.slot)
    guard slots[slot].generation == key.generation else { return nil }
    switch slots[slot].position {
    case Slot.free: return nil
    case Slot.fresh: return vacate(slot)
    case let position: return remove(at: Int(position))
    }
  }

  /// Takes the first timer that has settled out if its deadline is `now` or before.
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
    return vacate(slot)
  }

  private mutating func vacate(_ slot: Int) -> Work? {
    freeSlots.append(Int32(slot))
    return slots[slot].vacate()
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
