import Base
import DomainKit
import Storage

/// Rides as things that reports and support rooms are about. Nobody but the two sides and staff knows of one.
struct RideSubject: SubjectKind {
  let core: RidesCore

  var prefix: String { IDKind.ride }

  /// Both sides made it; each sees it whatever they think of each other.
  var traits: SubjectTraits {
    var traits = SubjectTraits()
    traits.isHiddenByBlocks = false
    return traits
  }

  func facts(of id: Identifier, in reader: any Reader) throws -> SubjectFacts? {
    try reader.ride(id).map { SubjectFacts(owner: $0.riderID) }
  }

  func canView(_ id: Identifier, by caller: Caller?, in reader: any Reader) throws -> Bool {
    guard let caller else { return false }
    return try core.maySee(reader.ride(id), caller, roles: RidesDomain.roles.map(\.name), in: reader)
  }
}
