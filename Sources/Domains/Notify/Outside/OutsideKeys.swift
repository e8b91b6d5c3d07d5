import Base
import Cryptography
import DomainKit

/// What addresses of people without an account are found by, sealed with and stopped by.
struct OutsideKeys: Sendable {
  private let lookup: SecretKey
  private let address: SealingKey
  private let token: SecretKey

  private static let prefix = "oo1."

  init(_ keys: ServerKeys) {
    lookup = keys.derived(for: "notify outside lookups 1")
    token = keys.derived(for: "notify outside tokens 1")
    guard let address = try? SealingKey(keys.derived(for: "notify outside addresses 1")) else {
      preconditionFailure("a derived key has the length of a key")
    }
    self.address = address
  }

  /// What an address is found by among those of one sort of letters. The hashes of two sorts have nothing in common.
  func lookup(_ address: ContactAddress, _ sort: OutsideSort) -> [UInt8] {
    let kind: UInt8 =
      switch address.kind {
      case .email: 1
      case .phone: 2
      }
    return Hash.blake2b([UInt8(sort.rawValue), kind] + Array(address.text.utf8), key: lookup)
  }

  func seal(_ address: ContactAddress, lookup: [UInt8]) -> [UInt8] {
    self.address.seal(Array(address.text.utf8), context: lookup)
  }

  func open(_ sealed: [UInt8], lookup: [UInt8]) throws -> String {
    String(decoding: try address.open(sealed, context: lookup), as: UTF8.self)
  }

  /// Stops letters of one sort to one address; carried by such letters. Text: `oo1.CONTENT.MAC`, as `UnsubscribeToken`; the
  /// content is the sort in one octet and the hash that the address is found by. It tells no address.
  func stopToken(_ lookup: [UInt8], _ sort: OutsideSort) -> String {
    ProvedText.proved(ProvedText.unproved([UInt8(sort.rawValue)] + lookup, prefix: Self.prefix), key: token)
  }

  /// Nil for what this server has not made.
  func parse(stopToken text: String) -> (lookup: [UInt8], sort: OutsideSort)? {
    guard let content = ProvedText.content(of: text, prefix: Self.prefix, key: token), let first = content.first,
      let sort = OutsideSort(rawValue: Int64(first))
    else { return nil }
    return (Array(content.dropFirst()), sort)
  }
}

extension OutsideSort {
  /// What `UnsubscribeResponse.kind` calls it.
  var name: String {
    switch self {
    case .invitation: "invitation"
    case .safety: "safety"
    }
  }
}
