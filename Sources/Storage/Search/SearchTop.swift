/// The best hits so far.
struct SearchTop {
  private let limit: Int
  private var hits: [SearchHit] = []
  /// The last one of the best, once there are enough.
  private var worst: SearchHit?

  init(limit: Int) { self.limit = limit }

  /// The better hit first; ties by id.
  static func isBefore(_ a: SearchHit, _ b: SearchHit) -> Bool {
    a.score != b.score ? a.score > b.score : a.id < b.id
  }

  /// What a hit must score at least to be taken.
  private(set) var least = Int64.min

  func mayTake(_ score: Int64) -> Bool { score >= least }

  mutating func offer(_ hit: SearchHit) {
    if let worst, !Self.isBefore(hit, worst) { return }
    hits.append(hit)
    if hits.count >= 2 * max(limit, 1) {
      hits = sorted
      worst = hits.last
      least = worst?.score ?? .min
    }
  }

  /// The best first.
  var sorted: [SearchHit] { Array(hits.sorted(by: Self.isBefore).prefix(limit)) }
}
