public import Base
import DomainKit
import RPC
public import Storage
import Synchronization

/// What flags are, in memory. It learns of what is put on this node with its commit, of the rest by `catchUp`.
///
/// Safe to share between threads.
final class FlagBoard: Flags, MethodSwitches {
  private struct State {
    var flags: [String: CompiledFlag] = [:]
    /// Those of methods, by path with its first slash.
    var switches: [String: CompiledFlag] = [:]
  }

  private let database: any Database
  private let regions: UserRegions
  private let state = Locked(State())
  /// Whether any method was ever switched: mostly none was, and every call asks.
  private let hasSwitches = Atomic(false)

  /// Knows nothing before its first `catchUp`.
  init(database: any Database, regions: @escaping UserRegions) {
    self.regions = regions
    self.database = database
  }

  /// Learns what was put since the last time, on any node.
  func catchUp() async throws {
    let known = state.withLock { state in
      Dictionary(
        uniqueKeysWithValues: [state.flags, state.switches].joined().map { ($0.value.name, $0.value.version) })
    }
    for row in try await database.read({ try FlagRow.changed(since: known, in: $0) }) { take(row.compiled) }
  }

  /// Takes a flag over, unless a newer version of it is known.
  func take(_ flag: CompiledFlag) {
    let isSwitch = FlagCatalog.isMethod(flag.name)
    state.withLock { state in
      let known = isSwitch ? state.switches["/" + flag.name] : state.flags[flag.name]
      guard (known?.version ?? 0) < flag.version else { return }
      if isSwitch { state.switches["/" + flag.name] = flag } else { state.flags[flag.name] = flag }
      if isSwitch { hasSwitches.store(true, ordering: .releasing) }
    }
  }

  func value<Value: SettingType>(of flag: FlagDefinition<Value>, for subject: FlagSubject) -> Value {
    let put = state.withLock { $0.flags[flag.name] }
    return put?.value(for: subject).flatMap(Value.init) ?? flag.standard
  }

  func isOnAtOnce(_ method: MethodDescriptor, for caller: Caller?) -> Bool? {
    guard let put = put(of: method) else { return true }
    if put.namesRegions, let caller, !caller.isMachine { return nil }
    return put.isOn(for: FlagSubject(caller, region: nil))
  }

  func isOn(_ method: MethodDescriptor, for caller: Caller?) async throws -> Bool {
    guard let put = put(of: method) else { return true }
    // Nobody knows where those live who are not signed in, and machines live nowhere.
    guard put.namesRegions, let caller, !caller.isMachine else {
      return put.isOn(for: FlagSubject(caller, region: nil))
    }
    let region = try await database.read { [regions] in try regions(caller.user, $0) }
    return put.isOn(for: FlagSubject(caller, region: region))
  }

  /// What was put for a method; nil if nothing ever was.
  private func put(of method: MethodDescriptor) -> CompiledFlag? {
    guard hasSwitches.load(ordering: .acquiring) else { return nil }
    return state.withLock { $0.switches[method.path] }
  }
}

/// The country that a user has named, as of `PersonalPreferences.region`.
public typealias UserRegions = @Sendable (Identifier, any Reader) throws -> String?

extension CompiledFlag {
  /// Of a method's switch.
  fileprivate func isOn(for subject: FlagSubject) -> Bool { value(for: subject) != .boolean(false) }
}
