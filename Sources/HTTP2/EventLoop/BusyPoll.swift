internal import Base

/// How long a loop looks for events without sleeping, which saves the time that waking a thread takes (20 µs and more on
/// a virtual machine) and takes processor time that others could use.
///
/// A loop looks only after a wait that was short: where requests come one after another. One whose requests come seldom
/// sleeps as it would otherwise.
struct BusyPoll {
  /// Nanoseconds for which it looks at most; none by default.
  let budget: Int64
  private var isWorthwhile = true
  /// How often it has looked.
  var looks = 0

  init(_ duration: Duration) {
    budget = max(duration.inNanoseconds, 0)
  }

  /// Nanoseconds to look for events before the next wait.
  var time: Int64 { isWorthwhile ? budget : 0 }

  /// A wait is over, which took so many nanoseconds in all.
  mutating func waited(_ time: Int64) {
    isWorthwhile = time <= budget * HTTP2Limits.waitsWorthPolling
  }
}
