internal import Base
internal import CLinux

/// A system call that failed.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The call, for instance `connect`.
  public let operation: String
  /// The value of `errno`.
  public let code: Int32

  public init(operation: String, code: Int32) {
    self.operation = operation
    self.code = code
  }

  /// No thread could be started.
  init(_ error: OSThreadError) { self.init(operation: "pthread_create", code: error.code) }

  /// `connect: Connection refused`.
  public var description: String { "\(operation): \(String(cString: strerror(code)))" }

  /// Whether the process or the system has no descriptor, buffer or memory left for now.
  var isExhaustion: Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }
}

/// Runs a system call that reports failure as -1 and `errno`; repeats it when a signal interrupts it.
///
/// Here alone `errno` is read.
/// - Throws: `SystemError`; errnos that can only be bugs (a descriptor used after its close, a bad pointer) trap.
@discardableResult
@inline(__always)
func syscall<Result: FixedWidthInteger>(
  _ operation: StaticString, _ body: () -> Result
) throws(SystemError) -> Result {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = __errno_location().pointee
    if code != EINTR { throw failure(operation, code) }
  }
}

/// As `syscall`, for calls on non-blocking descriptors: nil when the call would have to wait.
@inline(__always)
func syscallOrWouldBlock<Result: FixedWidthInteger>(
  _ operation: StaticString, _ body: () -> Result
) throws(SystemError) -> Result? {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = __errno_location().pointee
    if code == EAGAIN || code == EWOULDBLOCK || code == EINPROGRESS { return nil }
    if code != EINTR { throw failure(operation, code) }
  }
}

@inline(never)
private func failure(_ operation: StaticString, _ code: Int32) -> SystemError {
  precondition(
    code != EBADF && code != EFAULT && code != ENOTSOCK, "\(operation) failed with errno \(code), which is a bug")
  return SystemError(operation: operation.description, code: code)
}
