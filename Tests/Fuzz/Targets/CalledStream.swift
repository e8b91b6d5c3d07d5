import RPC

@testable import HTTP2

/// A client's stream, which does what callers do: it gives a response up that is too large, and its request when the
/// response is whole.
final class CalledStream: HTTP2Stream {
  private enum Stage {
    case head
    case body
    case over
  }

  private unowned let recorder: SessionRecorder
  private var stage = Stage.head

  init(_ recorder: SessionRecorder) {
    self.recorder = recorder
    super.init(connection: nil, id: 0)
  }

  override func receiveHeaders(_ block: inout HeaderBlock, endStream: Bool) {
    // Trailers have no status.
    let expected = block.status == 0 ? Stage.body : .head
    let isInterim = (100..<200).contains(block.status)
    if stage != expected || isInterim && endStream || block.status == 0 && !endStream { recorder.note(.outOfOrder) }
    if block.isTooLarge {
      recorder.note(.tooLarge(id))
      recorder.session.reset(self, .enhanceYourCalm)
      stage = .over
      return
    }
    recorder.note(.response(id, status: block.status, headers: block.headers, isEnd: endStream))
    if !isInterim { stage = .body }
    if endStream { ended() }
  }

  override func receive(_ bytes: UnsafeRawBufferPointer) {
    if stage != .body { recorder.note(.outOfOrder) }
    recorder.note(.body(id, Array(bytes)))
  }

  override func receiveEnd() {
    if stage != .body { recorder.note(.outOfOrder) }
    recorder.note(.end(id))
    ended()
  }

  private func ended() {
    stage = .over
    if !isFinished { recorder.session.reset(self, .noError) }
  }
}
