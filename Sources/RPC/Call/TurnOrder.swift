/// Who waits for a turn, and who is next: the hosts in turn, each with its connections in turn, each with its calls in
/// their order. So neither many messages of one connection nor many connections of one host make the others wait for
/// more than one message each. A value; all that it does takes the same time however many wait.
struct TurnOrder {
  private var hosts = Rotation<String, Rotation<Int64, CallQueue>>()

  var isEmpty: Bool { hosts.isEmpty }

  /// Adds a turn behind those of its connection.
  mutating func append(_ turn: InflateTurns.Turn) {
    hosts.change(turn.owner.host) { connections in
      connections.change(turn.owner.connection) { $0.append(turn) }
    }
  }

  /// Takes a turn out; harmless if it was before.
  mutating func remove(_ turn: InflateTurns.Turn) {
    hosts.change(turn.owner.host) { connections in
      connections.change(turn.owner.connection) { $0.remove(turn) }
    }
  }

  /// Takes out the turn that is next.
  mutating func next() -> InflateTurns.Turn? { hosts.next() }
}

/// Something with turns in it.
private protocol TurnLine {
  init()
  var isEmpty: Bool { get }
  mutating func next() -> InflateTurns.Turn?
}

/// Lines that take turns. None of them is empty.
private struct Rotation<Key: Hashable, Line: TurnLine>: TurnLine {
  private var lines: [Key: (line: Line, place: Int)] = [:]
  private var order = SparseQueue<Key>()

  var isEmpty: Bool { lines.isEmpty }

  mutating func change(_ key: Key, _ body: (inout Line) -> Void) {
    // Taken out meanwhile, so that it is not copied.
    let found = lines.removeValue(forKey: key)
    var line = found?.line ?? Line()
    body(&line)
    if line.isEmpty {
      if let found { order.remove(found.place) }
    } else {
      lines[key] = (line, found?.place ?? order.append(key))
    }
  }

  mutating func next() -> InflateTurns.Turn? {
    guard let key = order.popFirst() else { return nil }
    guard var (line, _) = lines.removeValue(forKey: key) else { preconditionFailure("a place without a line") }
    let turn = line.next()
    if !line.isEmpty { lines[key] = (line, order.append(key)) }
    return turn
  }
}

/// The turns of one connection.
private struct CallQueue: TurnLine {
  private var turns = SparseQueue<InflateTurns.Turn>()

  var isEmpty: Bool { turns.isEmpty }

  mutating func append(_ turn: InflateTurns.Turn) { turn.place = turns.append(turn) }

  mutating func remove(_ turn: InflateTurns.Turn) { turns.remove(turn.place) }

  mutating func next() -> InflateTurns.Turn? { turns.popFirst() }
}

/// A queue out of whose middle elements can be taken.
private struct SparseQueue<Element> {
  private var elements: [Int: Element] = [:]
  private var first = 0
  private var end = 0

  var isEmpty: Bool { elements.isEmpty }

  /// - Returns: the element's place, for `remove`.
  mutating func append(_ element: Element) -> Int {
    elements[end] = element
    end += 1
    return end - 1
  }

  mutating func remove(_ place: Int) {
    elements[place] = nil
  }

  mutating func popFirst() -> Element? {
    // Each place is passed once.
    while first < end {
      first += 1
      if let element = elements.removeValue(forKey: first - 1) { return element }
    }
    return nil
  }
}
