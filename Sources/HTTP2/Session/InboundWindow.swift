/// How much DATA the peer may send, on one stream or on the connection, and what is to be given back.
struct InboundWindow {
  /// What is offered when nothing is on the way or held.
  private(set) var size: Int
  /// What the peer may still send.
  private(set) var left: Int
  /// What may be given back and was not yet.
  private var returnable = 0
  /// What the peer was given beyond the first window.
  private var returned = 0

  init(size: Int) {
    self.size = size
    left = size
  }

  /// Octets that have come and may not be given back yet.
  var held: Int { size - left - returnable }

  /// What is not held any more of all that has come, but for a constant.
  var released: Int { returned + returnable - size }

  /// Counts received octets.
  /// - Returns: false if the peer was not allowed to send them.
  @inline(__always)
  mutating func take(_ count: Int) -> Bool {
    left -= count
    return left >= 0
  }

  /// Octets are no longer held.
  /// - Returns: the increment to send now; 0 if it is better to wait for more.
  @inline(__always)
  mutating func giveBack(_ count: Int) -> Int {
    returnable += count
    // Half of the window keeps a fast peer busy, and costs few frames.
    return returnable * 2 >= size ? settle() : 0
  }

  /// Changes what is offered.
  /// - Returns: the increment to send now. A smaller window comes to hold as the peer uses up the larger one.
  mutating func resize(to new: Int) -> Int {
    returnable += new - size
    size = new
    return returnable > 0 ? settle() : 0
  }

  /// The peer itself changes what is left, as SETTINGS_INITIAL_WINDOW_SIZE does (RFC 9113 §6.9.2).
  mutating func shift(to new: Int) {
    left += new - size
    size = new
  }

  private mutating func settle() -> Int {
    let increment = returnable
    returnable = 0
    returned += increment
    left += increment
    return increment
  }
}
