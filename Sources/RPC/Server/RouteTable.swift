/// Finds the method of a path. Each request passes through here, so it looks at few octets: a dictionary hashes all of
/// them, at several times the price. Peers choose what is looked up but not what is in the table, so a chain of
/// colliding paths is as long as the registered ones make it.
struct RouteTable: Sendable {
  /// A power of two, at most half of them taken.
  private var slots: [ServiceRegistry.Route?]

  init(_ routes: some Collection<ServiceRegistry.Route>) {
    var size = 4
    while size < 2 * routes.count { size *= 2 }
    slots = Array(repeating: nil, count: size)
    for route in routes {
      var slot = Self.hash(route.method.path) & (size - 1)
      while slots[slot] != nil { slot = (slot + 1) & (size - 1) }
      slots[slot] = route
    }
  }

  subscript(path: String) -> ServiceRegistry.Route? {
    var slot = Self.hash(path) & (slots.count - 1)
    while let route = slots[slot] {
      if route.method.path == path { return route }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Mixes the length, the last octets, which name the method, and some from all over.
  private static func hash(_ path: String) -> Int {
    let octets = path.utf8.span
    let count = octets.count
    guard count >= sampled else { return count }
    var end = UInt64(0)
    var spread = UInt64(0)
    let stride = count / sampled
    for index in 0..<sampled {
      end = end << 8 | UInt64(octets[count - 1 - index])
      spread = spread << 8 | UInt64(octets[index * stride])
    }
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the high bits depend on all of the input.
    let mixed = (end &+ spread &* 3 &+ UInt64(count)) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 32)
  }

  /// How many octets each of the two samples takes.
  private static let sampled = 8
}
