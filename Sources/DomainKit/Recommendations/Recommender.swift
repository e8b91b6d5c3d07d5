public import Base
import Glibc

/// Orders things that somebody may want: by what was ordered together with what he or she looked at, by the categories of
/// that, and by what sells.
///
///     score = 0.5 · co / max co + 0.3 · taste / max taste + 0.2 · pop / max pop
///
///     co    = Σ 2^(−age / 7 d) · n_ij / √(n_i · n_j)   over the events j, n counting orders
///     taste = Σ 2^(−age / 14 d)                        over the events of the candidate's category
///     pop   = units ordered, with a half-life of 3 d
///
/// The greatest are those among the candidates. A thing is not recommended for having been looked at itself. Pure: what it
/// is given, it decides by.
public enum Recommender {
  /// Events that count: the newest ones.
  public static let eventLimit = 50
  /// What was bought so recently is not wanted again.
  public static let boughtLimit = Duration.seconds(30 * 86_400)
  /// How many of one category may follow each other.
  public static let runLimit = 3
  /// Of `Candidate.unitsOrdered`.
  public static let popularityHalfLife = Duration.seconds(3 * 86_400)

  private static let togetherHalfLife = Duration.seconds(7 * 86_400)
  private static let tasteHalfLife = Duration.seconds(14 * 86_400)
  private static let weights: [(reason: Recommendation.Reason, weight: Double)] = [
    (.orderedTogether, 0.5), (.taste, 0.3), (.popular, 0.2),
  ]

  /// The best candidates, best first; equal ones by id.
  /// - Parameters:
  ///   - events: what the user did, in any order.
  ///   - limit: how many to give at most. There are fewer when too few candidates are left, or when all that are left
  ///     belong to a category that has had its run.
  public static func rank(
    _ candidates: [Candidate], events: [TasteEvent], now: Instant, limit: Int
  ) -> [Recommendation] {
    let newest = events.sorted { ($1.at, $1.item) < ($0.at, $0.item) }.prefix(eventLimit)
    let possible = candidates.filter { candidate in
      candidate.isAvailable && candidate.boughtAt.map { now - $0 >= boughtLimit } ?? true
    }
    let terms = possible.map { candidate in
      [
        together(candidate, newest, now), taste(candidate, newest, now),
        candidate.unitsOrdered.value(at: now, halfLife: popularityHalfLife),
      ]
    }
    let greatest = (0..<weights.count).map { term in terms.lazy.map { $0[term] }.max() ?? 0 }
    let scored = zip(possible, terms).map { candidate, terms in
      let parts = (0..<weights.count).map { term in
        greatest[term] > 0 ? weights[term].weight * terms[term] / greatest[term] : 0
      }
      // Of equal terms the first; nothing at all is popular.
      let best = parts.max() ?? 0
      let reason = best > 0 ? weights[parts.firstIndex(of: best) ?? 0].reason : .popular
      return (
        category: candidate.category,
        recommendation: Recommendation(item: candidate.item, score: parts.reduce(0, +), reason: reason)
      )
    }
    let ordered = scored.sorted {
      ($1.recommendation.score, $0.recommendation.item) < ($0.recommendation.score, $1.recommendation.item)
    }
    return mixed(ordered, limit)
  }

  private static func together(_ candidate: Candidate, _ events: ArraySlice<TasteEvent>, _ now: Instant) -> Double {
    events.reduce(0) { sum, event in
      guard event.item != candidate.item, let both = candidate.ordersTogether[event.item], both > 0,
        candidate.orders > 0, event.orders > 0
      else { return sum }
      let nearness = Double(both) / (Double(candidate.orders) * Double(event.orders)).squareRoot()
      return sum + DecayingSum.share(left: now - event.at, halfLife: togetherHalfLife) * nearness
    }
  }

  private static func taste(_ candidate: Candidate, _ events: ArraySlice<TasteEvent>, _ now: Instant) -> Double {
    events.reduce(0) { sum, event in
      guard event.category == candidate.category else { return sum }
      return sum + DecayingSum.share(left: now - event.at, halfLife: tasteHalfLife)
    }
  }

  /// Takes the best that does not make a run too long, again and again.
  private static func mixed(
    _ ordered: [(category: String, recommendation: Recommendation)], _ limit: Int
  ) -> [Recommendation] {
    var rest = ordered
    var chosen: [Recommendation] = []
    var run: (category: String, length: Int) = ("", 0)
    while chosen.count < limit,
      let index = rest.firstIndex(where: { run.length < runLimit || $0.category != run.category })
    {
      let next = rest.remove(at: index)
      run = next.category == run.category ? (run.category, run.length + 1) : (next.category, 1)
      chosen.append(next.recommendation)
    }
    return chosen
  }
}

/// Something that a user did with a thing: looked at it, put it into the cart, found it.
public struct TasteEvent: Sendable {
  public let item: Identifier
  public let category: String
  public let at: Instant
  /// How many orders have the thing in them.
  public let orders: Int64

  public init(item: Identifier, category: String, at: Instant, orders: Int64) {
    self.item = item
    self.category = category
    self.at = at
    self.orders = orders
  }
}

/// Something that may be recommended.
public struct Candidate: Sendable {
  public let item: Identifier
  public let category: String
  /// How many orders have it in them.
  public let orders: Int64
  /// How many orders have both it and another thing in them, by the other one.
  public let ordersTogether: [Identifier: Int64]
  /// Added up as `Recommender.popularityHalfLife` says.
  public let unitsOrdered: DecayingSum
  public let isAvailable: Bool
  /// When the user bought it last; nil for never.
  public let boughtAt: Instant?

  public init(
    item: Identifier, category: String, orders: Int64, ordersTogether: [Identifier: Int64], unitsOrdered: DecayingSum,
    isAvailable: Bool = true, boughtAt: Instant? = nil
  ) {
    self.item = item
    self.category = category
    self.orders = orders
    self.ordersTogether = ordersTogether
    self.unitsOrdered = unitsOrdered
    self.isAvailable = isAvailable
    self.boughtAt = boughtAt
  }
}

/// Something that is recommended.
public struct Recommendation: Sendable, Equatable {
  /// Which part of the score is the greatest.
  public enum Reason: Sendable, Hashable {
    case orderedTogether
    case taste
    case popular
  }

  public let item: Identifier
  /// From 0 to 1.
  public let score: Double
  public let reason: Reason
}

/// A sum whose parts count half as much after each half-life. It is kept as its value at one instant, so it needs neither its
/// parts nor a sweep.
public struct DecayingSum: Sendable, Equatable {
  public private(set) var value: Double
  public private(set) var at: Instant

  /// A sum that is 0, or that was stored.
  public init(value: Double = 0, at: Instant) {
    self.value = value
    self.at = at
  }

  /// The sum at an instant.
  public func value(at instant: Instant, halfLife: Duration) -> Double {
    value * Self.share(left: instant - at, halfLife: halfLife)
  }

  /// Adds a part. Parts may come in any order.
  public mutating func add(_ part: Double, at instant: Instant, halfLife: Duration) {
    if instant > at {
      value = value(at: instant, halfLife: halfLife) + part
      at = instant
    } else {
      value += part * Self.share(left: at - instant, halfLife: halfLife)
    }
  }

  /// 2^(−age / half-life).
  static func share(left age: Duration, halfLife: Duration) -> Double {
    exp2(-(age / halfLife))
  }
}
