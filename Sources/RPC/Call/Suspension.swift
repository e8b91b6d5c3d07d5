/// A task that waits for an event of its call, and is resumed exactly once.
///
/// A checked continuation would cost a third more, and a stream of short messages waits often. What the check would
/// find cannot happen: whoever holds one forgets it when it resumes it, and a call that ends resumes all of them.
@safe
struct Suspension: Sendable {
  private let continuation: UnsafeContinuation<Void, Never>

  /// Waits; `body` keeps the suspension or resumes it.
  static func wait(_ body: (Suspension) -> Void) async {
    unsafe await withUnsafeContinuation { body(unsafe Suspension(continuation: $0)) }
  }

  func resume() {
    unsafe continuation.resume()
  }
}
