import Base
import MediaAPI

/// The frames of an upload between the task that reads them from the connection and the one that writes them to disk:
/// while a piece is made durable, the next ones come in. One task on each side.
final class ChunkQueue: Sendable {
  private struct State {
    var frames: [UploadChunksRequest] = []
    var isOver = false
  }

  private let state = Locked(State())
  private let limit: Int
  private let hasFrames = ParkingSpot()
  private let hasRoom = ParkingSpot()

  init(limit: Int) {
    self.limit = limit
  }

  var isEmpty: Bool { state.withLock { $0.frames.isEmpty } }

  /// Adds a frame, after waiting for room.
  func put(_ frame: UploadChunksRequest) async throws {
    while true {
      let isTaken = state.withLock { state in
        guard state.frames.count < limit else { return false }
        state.frames.append(frame)
        return true
      }
      if isTaken { break }
      try await hasRoom.park()
    }
    hasFrames.unpark()
  }

  /// No more frames come.
  func end() {
    state.withLock { $0.isOver = true }
    hasFrames.unpark()
  }

  /// All frames that wait, after waiting for one; nil after the last.
  func takeAll() async throws -> [UploadChunksRequest]? {
    while true {
      let (frames, isOver) = state.withLock { state in
        defer { state.frames = [] }
        return (state.frames, state.isOver)
      }
      if !frames.isEmpty {
        hasRoom.unpark()
        return frames
      }
      if isOver { return nil }
      try await hasFrames.park()
    }
  }
}
