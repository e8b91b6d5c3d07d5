internal import CLinux

/// The one owner of a file descriptor: closes it when it dies.
struct Descriptor: ~Copyable {
  let number: Int32

  init(_ number: Int32) {
    precondition(number >= 0, "not a descriptor")
    self.number = number
  }

  deinit {
    // The descriptor is gone after close, whatever it reports: repeating it could close somebody else's.
    _ = close(number)
  }
}
