internal import CLinux

/// What a descriptor is ready for, or is waited for, in the bits of epoll.
struct Readiness: OptionSet, Sendable {
  let rawValue: UInt32

  static let read = Readiness(rawValue: EPOLLIN.rawValue)
  static let write = Readiness(rawValue: EPOLLOUT.rawValue)
  static let error = Readiness(rawValue: EPOLLERR.rawValue)
  static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
}

/// Something that owns a descriptor registered with an event loop.
protocol ReadinessHandler: AnyObject {
  /// Called on the loop, again and again until the readiness is used up.
  func ready(_ readiness: Readiness)
}

/// Something that gathers output during a tick.
protocol TickFlushable: AnyObject {
  /// Called on the loop at the end of the tick.
  func flush()
}
