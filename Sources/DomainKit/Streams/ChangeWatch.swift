public import Storage

/// Finds what other nodes have changed of the things that are watched on this one, though their word of it may have been lost:
/// one read for all of these, however many watch them. Watchers are woken only where something has changed.
///
///     var watch = ChangeWatch(board, kit) { things, reader in … }
///     while !loop.isStopping {
///       await others.look(for: "counts") { try await watch.look() }
///       await loop.pause(atMost: .seconds(1))
///     }
public struct ChangeWatch<State: Sendable & Equatable>: Sendable {
  private let board: ChangeBoard
  private let database: any Database
  private let read: @Sendable ([SubjectID], any Reader) throws -> [SubjectID: State]
  /// How far the things were that were watched here at the last look.
  private var known: [SubjectID: State] = [:]

  /// - Parameter read: how far some things are, in few statements.
  public init(
    _ board: ChangeBoard, _ kit: Kit,
    read: @escaping @Sendable (_ things: [SubjectID], any Reader) throws -> [SubjectID: State]
  ) {
    (self.board, self.read) = (board, read)
    database = kit.database
  }

  /// Wakes those who watch things that have changed since the last look, and things that nobody watched here then. Who begins
  /// to watch afterwards sees no less than this look.
  /// - Returns: these things.
  @discardableResult
  public mutating func look() async throws -> Set<SubjectID> {
    let (watched, read) = (board.readThings, read)
    let states = watched.isEmpty ? [:] : try await database.read { try read(watched, $0) }
    let changed = states.filter { known[$0.key] != $0.value }.keys
    known = states
    for thing in changed { board.wake(thing) }
    return Set(changed)
  }
}
