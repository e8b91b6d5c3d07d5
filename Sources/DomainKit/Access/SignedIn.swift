import Base
import RPC

/// Somebody whose access token was verified: one object for all calls with the token, which attach it as their principal. A
/// call of staff has one of its own.
final class SignedIn: Sendable {
  let text: TokenText
  let token: AccessToken
  let caller: Caller

  /// - Parameter text: as the token came.
  init(_ text: TokenText, _ token: AccessToken, _ roles: RoleSet, _ staffCall: StaffCall? = nil) {
    self.text = text
    self.token = token
    var caller = Caller(user: token.user, session: token.session, roles: roles, isMachine: token.isMachine)
    caller.staffCall = staffCall
    self.caller = caller
  }
}

/// An access token as it comes, by which one that was verified is found again.
struct TokenText: Hashable, Sendable {
  private static let scheme = Array("bearer ".utf8)
  /// Of the token's end.
  private static let hashedOctets = 8

  let octets: ArraySlice<UInt8>

  /// What follows `Bearer `, in any case (RFC 9110 §11.1); nil for another scheme. Shares the storage of the field.
  init?(authorization field: ArraySlice<UInt8>) {
    guard field.count > Self.scheme.count else { return nil }
    var position = field.startIndex
    // Sets the bit that makes an upper case letter a lower case one, and leaves the space as it is.
    for octet in Self.scheme {
      if field[position] | 0x20 != octet { return nil }
      position += 1
    }
    octets = field[position...]
  }

  /// With storage of its own, to be kept when the call is over.
  init(copying other: TokenText) { octets = Array(other.octets)[...] }

  /// Looks at eight octets at a time, so that the time that it takes tells whoever guesses a token nothing of use: of each
  /// eight there are more than can be tried.
  static func == (a: TokenText, b: TokenText) -> Bool { a.octets.span.hasSameOctets(as: b.octets.span) }

  /// By the end of the signature, which nobody can choose: only tokens that were verified are kept.
  func hash(into hasher: inout Hasher) {
    hasher.combine(octets.suffix(Self.hashedOctets).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }
}
