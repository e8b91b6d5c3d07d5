extension TimeZoneTable {
  /// Which instant is meant by a time of day that the zone's clocks skip, as they are put forward.
  public enum SkippedTime: Sendable {
    /// The one that it would have been: half past two, when the clocks go from two to three, is half past three.
    case goesOn
    /// The one at which the clocks are put forward.
    case change
  }

  /// Which instant is meant by a time of day that the zone's clocks show twice, as they are put back.
  public enum DoubledTime: Sendable {
    case first
    case last
  }

  /// No zone was ever so far from UTC, so that changes further away than this say nothing about a time.
  private static let farthest: Int64 = 24 * 3600
  private static let secondsPerDay: Int64 = 86_400

  /// The instant at which the zone's clocks show a time of a civil day.
  /// - Parameters:
  ///   - minute: of the day, 0 to 1439. Others are of the days before or after.
  ///   - skipped: which one, if they skip it.
  ///   - doubled: which one, if they show it twice.
  public func instant(
    of day: CivilDate, minute: Int64 = 0, skipped: SkippedTime = .goesOn, doubled: DoubledTime = .first
  ) -> Instant {
    let local = day.daysSinceEpoch * Self.secondsPerDay + minute * 60
    return Instant(seconds: seconds(ofLocal: local, skipped, doubled))
  }

  /// The civil day of the zone.
  public func day(at instant: Instant) -> CivilDate {
    CivilDate(daysSinceEpoch: localSeconds(at: instant).dividingRoundingDown(by: Self.secondsPerDay))
  }

  /// The minute of the zone's day, 0 to 1439.
  public func minuteOfDay(at instant: Instant) -> Int64 {
    let local = localSeconds(at: instant)
    return (local - local.dividingRoundingDown(by: Self.secondsPerDay) * Self.secondsPerDay) / 60
  }

  /// The instant at which the zone's civil day `day` (days since 1970-01-01) begins, which is not midnight where the
  /// clocks skip that.
  public func start(ofDay day: Int64) -> Instant {
    Instant(seconds: seconds(ofLocal: day * Self.secondsPerDay, .change, .first))
  }

  /// The instants at which the clocks show a time, in seconds since the Unix epoch: mostly one.
  /// - Parameter local: what they show, as if it were UTC.
  func allSeconds(ofLocal local: Int64) -> [Int64] {
    near(local).compactMap { count in
      let second = local - offset(afterChanges: count)
      let begins = count == 0 || spans[count - 1].start <= second
      let ends = count < spans.count && spans[count].start <= second
      return begins && !ends ? second : nil
    }
  }

  private func seconds(ofLocal local: Int64, _ skipped: SkippedTime, _ doubled: DoubledTime) -> Int64 {
    let found = allSeconds(ofLocal: local)
    if let first = found.first, let last = found.last { return doubled == .first ? first : last }
    for count in near(local).dropLast() {
      let change = spans[count].start
      let (before, after) = (offset(afterChanges: count), offset(afterChanges: count + 1))
      if change + before <= local, local < change + after { return skipped == .goesOn ? local - before : change }
    }
    preconditionFailure("clocks that neither show a time nor skip it")
  }

  /// The numbers of changes after which a time may have been.
  private func near(_ local: Int64) -> ClosedRange<Int> {
    changes(upTo: local - Self.farthest)...changes(upTo: local + Self.farthest)
  }

  private func localSeconds(at instant: Instant) -> Int64 {
    let second = instant.nanoseconds.dividingRoundingDown(by: 1_000_000_000)
    return second + offset(atSeconds: second)
  }
}
