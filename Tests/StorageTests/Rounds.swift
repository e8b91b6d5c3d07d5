import Foundation

/// How often a test does what it does, by default a few times and in `make storm` many.
enum Rounds {
  /// - Parameter variable: of the environment, which may say how often.
  static func count(_ variable: String, otherwise count: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap(Int.init) ?? count
  }
}
