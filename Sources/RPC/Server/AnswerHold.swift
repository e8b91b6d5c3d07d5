public import ProtobufRuntime

/// Something that has to be done before a call is answered, such as putting on record what is told.
///
/// An interceptor that wants it gives one to `ServerContext.hold(_:)`. It is asked whether it is due before anything leaves,
/// and its work is done once at most; whatever wants to leave meanwhile waits for the same.
public protocol AnswerHold: AnyObject, Sendable {
  /// Whether the work has to be done before what wants to leave now: a message, or a status of OK. Once it is, it stays so
  /// until the work is done. Asked for each of them, on the call's executor.
  var isDue: Bool { get }

  /// A request has been read; of a stream each of its messages. Before the handler has it.
  func read(_ request: any Message)

  /// Does the work. What it throws becomes the call's status.
  func settle(_ context: ServerContext) async throws

  /// The call fails with an error, of the handler's or an interceptor's, and the work was not begun. The error is told when
  /// this returns.
  func settle(_ context: ServerContext, failing error: RPCError) async
}

/// What holds the answer of a call. Confined to the call's executor.
final class HeldAnswer {
  let hold: any AnswerHold
  /// The work, once something wants to leave.
  var task: Task<Void, any Error>?

  init(_ hold: any AnswerHold) { self.hold = hold }
}

extension ServerCall {
  /// Tells what holds the answer of a request that has been read.
  @usableFromInline
  func noteRequest(_ request: any Message) { held?.hold.read(request) }

  /// Has the work done that the answer waits for. Whoever else wants to answer meanwhile waits for the same. From any thread.
  /// - Throws: what the work throws.
  func release() async throws {
    guard executor.isCurrent else { return try await executor.hop { try await self.release() } }
    guard isHeld, let held else { return }
    try await begin(held).value
    guard mayBeHeld else { return }
    letGo()
    // A publisher may have been told meanwhile that there is no room.
    tellOfDrain()
  }

  /// The same for a publisher that cannot wait: it is told that there is room when the answer may leave.
  func releaseForSink() {
    guard let held, held.task == nil else { return }
    _ = begin(held)
    Task.immediate(executorPreference: executor) {
      do {
        try await self.release()
      } catch {
        self.end(failing: self.server.status(for: error, of: self))
      }
    }
  }

  /// Ends the call with what an interceptor or the handler threw, when what holds its answer knows of it.
  func settle(failing error: any Error) async {
    let error = server.status(for: error, of: self)
    if let held, held.task == nil, !state.hasEnded { await held.hold.settle(context, failing: error) }
    end(failing: error)
  }

  /// Nothing holds the answer any more.
  func letGo() {
    held = nil
    mayBeHeld = false
  }

  private func begin(_ held: HeldAnswer) -> Task<Void, any Error> {
    if let task = held.task { return task }
    let (hold, context) = (held.hold, context)
    let task = Task(executorPreference: executor) { try await hold.settle(context) }
    held.task = task
    return task
  }
}
