/// The open streams of a session by id: an open-addressed table with linear probing. Stream ids count up in steps of
/// two, so that half the id is a hash without collisions as long as the streams are about equally old.
///
/// Does not retain the streams; the connection does.
struct StreamTable {
  private struct Slot {
    /// 0 marks a free slot: no stream has this id.
    var id: Int32
    var stream: Unmanaged<HTTP2Stream>?
  }

  private var slots: [Slot] = []
  private(set) var count = 0
  /// How many streams do not stand where their ids say. Mostly none, and then a removal leaves no gap in anybody's way:
  /// streams of successive ids are neighbours, so that looking at all that follow would mean all open ones.
  private var displaced = 0

  var isEmpty: Bool { count == 0 }

  @inline(__always)
  private static func home(_ id: Int32, _ mask: Int) -> Int { Int(id >> 1) & mask }

  /// The open stream with this id.
  @inline(__always)
  func find(_ id: Int32) -> HTTP2Stream? {
    guard count > 0 else { return nil }
    let mask = slots.count - 1
    var index = Self.home(id, mask)
    while slots[index].id != 0 {
      if slots[index].id == id { return slots[index].stream?.takeUnretainedValue() }
      index = (index + 1) & mask
    }
    return nil
  }

  /// Adds a stream whose id is not in the table.
  mutating func insert(_ stream: HTTP2Stream) {
    if (count + 1) * 4 > slots.count * 3 { resize(to: max(8, slots.count * 2)) }
    place(Slot(id: stream.id, stream: .passUnretained(stream)))
    count += 1
  }

  private mutating func place(_ slot: Slot) {
    let mask = slots.count - 1
    let home = Self.home(slot.id, mask)
    var index = home
    while slots[index].id != 0 { index = (index + 1) & mask }
    slots[index] = slot
    if index != home { displaced += 1 }
  }

  /// Removes a stream; nothing happens if it is not there.
  mutating func remove(_ id: Int32) {
    guard count > 0 else { return }
    let mask = slots.count - 1
    var index = Self.home(id, mask)
    while slots[index].id != id {
      if slots[index].id == 0 { return }
      index = (index + 1) & mask
    }
    count -= 1
    if displaced > 0 {
      if index != Self.home(id, mask) { displaced -= 1 }
      index = moveUp(into: index, mask)
    }
    slots[index] = Slot(id: 0, stream: nil)
    // An idle connection should not keep the room of its busiest time.
    if count == 0, slots.count > HTTP2Limits.keptPlaces { slots = [] }
  }

  /// What follows a gap in the same run moves up, so that the gap hides nothing.
  /// - Returns: where the gap is then.
  private mutating func moveUp(into gap: Int, _ mask: Int) -> Int {
    var index = gap
    var next = (index + 1) & mask
    while slots[next].id != 0 {
      let home = Self.home(slots[next].id, mask)
      if (next - home) & mask >= (next - index) & mask {
        slots[index] = slots[next]
        if index == home { displaced -= 1 }
        index = next
      }
      next = (next + 1) & mask
    }
    return index
  }

  private mutating func resize(to capacity: Int) {
    let old = slots
    displaced = 0
    slots = Array(repeating: Slot(id: 0, stream: nil), count: capacity)
    for slot in old where slot.id != 0 { place(slot) }
  }

  /// The streams, in no order; unlike the table, the result holds them.
  var all: [HTTP2Stream] {
    slots.compactMap { $0.stream?.takeUnretainedValue() }
  }
}
