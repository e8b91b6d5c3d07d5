import Base
import DomainKit
import IdentityAPI
import Storage

/// Users as things that are followed and reported. Whoever may see the profile sees one.
struct UserSubject: SubjectKind {
  let community: any Community

  var prefix: String { IDKind.user }

  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.isFollowable = true
    return traits
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    guard let user = try UserRow.find(id, in: reader), user.state != .erased else { return nil }
    return SubjectFacts(owner: id)
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    let visibility = try PreferencesRow.find(id, in: reader).visibility
    guard let caller else { return visibility == .public }
    if caller.user == id || caller.roles.isStaff { return true }
    return switch visibility {
    case .public, .users: true
    case .followers: try community.isFollowing(caller.user, SubjectID(prefix, id), in: reader)
    default: false
    }
  }

  func following(_ id: Identifier, by caller: Caller, in reader: any Reader) throws -> Following {
    switch try PreferencesRow.find(id, in: reader).visibility {
    case .public, .users: .allowed
    case .followers: .onRequest
    default: .refused
    }
  }
}
