/// Requests that wait for a connection, in their order. One that is given up leaves only its place behind until that is
/// cleared, so that giving up thousands at once costs no search for each.
struct RequestQueue {
  private var streams: [ClientHTTP2Stream] = []
  private var first = 0
  /// How many wait.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ stream: ClientHTTP2Stream) {
    stream.isWaiting = true
    streams.append(stream)
    count += 1
  }

  /// The request that waits longest.
  mutating func peek() -> ClientHTTP2Stream? {
    while first < streams.count, !streams[first].isWaiting { first += 1 }
    guard first < streams.count else {
      streams.removeAll(keepingCapacity: streams.count <= HTTP2Limits.keptPlaces)
      first = 0
      return nil
    }
    return streams[first]
  }

  /// Takes one that waits out, wherever it stands.
  mutating func remove(_ stream: ClientHTTP2Stream) {
    guard stream.isWaiting else { return }
    stream.isWaiting = false
    count -= 1
    if streams.count > 2 * count + HTTP2Limits.deadPlaces {
      streams = streams.filter(\.isWaiting)
      first = 0
    }
  }

  /// Takes out all that `isWanted` holds for.
  mutating func removeAll(where isWanted: (ClientHTTP2Stream) -> Bool) -> [ClientHTTP2Stream] {
    let waiting = streams.filter(\.isWaiting)
    let removed = waiting.filter(isWanted)
    for stream in removed { stream.isWaiting = false }
    streams = waiting.filter(\.isWaiting)
    first = 0
    count = streams.count
    return removed
  }
}
