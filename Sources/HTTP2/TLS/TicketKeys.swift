internal import Base
internal import COpenSSL

/// The keys that session tickets are sealed with. Tickets are sealed with the current key, and opened with it or the
/// one before: whoever steals the keys of now can read no connections that were resumed some hours ago.
final class TicketKeys: Sendable {
  static let nameSize = 16
  /// 32 octets for AES-256, 32 for HMAC-SHA-256.
  private static let keySize = 64

  struct Key: Equatable {
    let name: [UInt8]
    let octets: [UInt8]
  }

  private struct State {
    var current: Key
    var previous: Key?
    var rotation: Int64
  }

  private let state: Locked<State>
  private let random: any RandomSource
  private let now: @Sendable () -> Int64
  private let lifetime = HTTP2Limits.ticketKeyLifetime.inNanoseconds

  /// - Parameter now: a monotonic clock in nanoseconds.
  init(
    random: any RandomSource = SystemRandomSource(), now: @escaping @Sendable () -> Int64 = EventLoop.monotonicTime
  ) {
    self.random = random
    self.now = now
    state = Locked(State(current: Self.make(random), previous: nil, rotation: now()))
  }

  private static func make(_ random: any RandomSource) -> Key {
    Key(name: random.bytes(nameSize), octets: random.bytes(keySize))
  }

  /// The key to seal with.
  func sealing() -> Key {
    state.withLock { state in
      rotate(&state)
      return state.current
    }
  }

  /// The key of this name, and whether the ticket should be sealed anew; nil if there is none any more.
  func opening(_ name: UnsafeBufferPointer<UInt8>) -> (key: Key, isOld: Bool)? {
    state.withLock { state in
      rotate(&state)
      if name.elementsEqual(state.current.name) { return (state.current, false) }
      if let previous = state.previous, name.elementsEqual(previous.name) { return (previous, true) }
      return nil
    }
  }

  private func rotate(_ state: inout State) {
    let age = now() - state.rotation
    guard age >= lifetime else { return }
    state.previous = age < 2 * lifetime ? state.current : nil
    state.current = Self.make(random)
    state.rotation += age
  }

  // MARK: OpenSSL

  /// Has the tickets of a context sealed with these keys; the context must not outlive them.
  func serve(_ context: OpaquePointer) -> Bool {
    SSL_CTX_set_ex_data(context, Self.slot, Unmanaged.passUnretained(self).toOpaque()) == 1
      && SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { ssl, name, iv, cipher, mac, encrypts in
        // OpenSSL passes none of these as nil.
        guard let ssl, let name, let iv, let keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), TicketKeys.slot) else {
          return 0
        }
        let owner = Unmanaged<TicketKeys>.fromOpaque(keys).takeUnretainedValue()
        if encrypts != 0 {
          let key = owner.sealing()
          name.update(from: key.name, count: key.name.count)
          return octet_ticket_prepare(cipher, mac, key.octets, iv, 1)
        }
        guard let (key, isOld) = owner.opening(UnsafeBufferPointer(start: name, count: TicketKeys.nameSize)) else {
          return 0
        }
        return octet_ticket_prepare(cipher, mac, key.octets, iv, 0) == 1 ? (isOld ? 2 : 1) : 0
      } == 1
  }

  /// The place for an application's data.
  private static let slot: Int32 = 0
}
