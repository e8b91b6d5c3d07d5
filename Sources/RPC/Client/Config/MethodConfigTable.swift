/// A service config as a channel uses it: what holds for a method is found by its path, and what all calls share is here.
final class MethodConfigTable: Sendable {
  /// A reference, so that a call holds one word of it.
  final class Entry: Sendable {
    let config: ServiceConfig.MethodConfig

    init(_ config: ServiceConfig.MethodConfig) {
      self.config = config
    }
  }

  private let entries: [String: Entry]
  let throttle: RetryThrottle?

  init(_ config: ServiceConfig) {
    var entries: [String: Entry] = [:]
    for method in config.methods {
      let entry = Entry(method)
      // The first entry with a name wins; the JSON form refuses a second one.
      for name in method.names where entries[name.key] == nil { entries[name.key] = entry }
    }
    self.entries = entries
    throttle = config.retryThrottling.map(RetryThrottle.init)
  }

  /// What holds for a method: the most specific entry.
  func entry(_ method: MethodDescriptor) -> Entry? {
    if entries.isEmpty { return nil }
    return entries[method.path] ?? entries["/\(method.service)/"] ?? entries[""]
  }
}
