import Admin
import Audit
import Chat
import DomainKit
import GoogleRPC
import Identity
import Jobs
import Media
import Notify
import OctetTypes
import ProtobufRuntime
import Rides
import Search
import Social
import Storage
import WellKnownTypes

/// The domains that a program serves, and what they declare together.
struct DomainCatalog: Sendable {
  /// Those that this program has beside the ones of every server.
  let added: [AddedDomain]
  /// All of them, each after those whose tables it refers to.
  let kinds: [any Domain.Type]

  init(adding added: [AddedDomain]) {
    self.added = added
    let shared: [any Domain.Type] = [
      IdentityDomain.self, ChatDomain.self, NotifyDomain.self, JobsDomain.self, AdminDomain.self, RidesDomain.self,
      SocialDomain.self, MediaDomain.self, SearchDomain.self,
    ]
    // The audit looks at all others.
    kinds = shared + added.map(\.kind) + [AuditDomain.self]
  }

  /// Names that `--services` may hold.
  var names: [String] { kinds.map { $0.name } + [Front.bench] }

  var migrations: [Migration] { kinds.flatMap { $0.migrations } }
  var roles: RoleCatalog { RoleCatalog(kinds.flatMap { $0.roles }) }
  var noticeKinds: [NoticeKind] { kinds.flatMap { $0.noticeKinds } }
  var flags: [FlagDeclaration] { kinds.flatMap { $0.flags } }
  var tables: [TableDefinition] { kinds.flatMap { $0.tables } }

  /// The descriptors of all domains and of the types that they use.
  var descriptors: [[UInt8]] {
    [
      WellKnownTypesDescriptors.serializedFileDescriptorSet, GoogleRPCDescriptors.serializedFileDescriptorSet,
      OctetTypesDescriptors.serializedFileDescriptorSet,
    ] + kinds.flatMap { $0.descriptors }
  }

  /// The methods of all domains, also of those that this node does not serve: `octet.jobs.v1.JobService/ListJobs`.
  func methodPaths() throws(DescriptorError) -> [String] {
    try DescriptorPool(serializedFileDescriptorSets: descriptors).services.flatMap { service in
      service.methods.map { "\(service.fullName)/\($0.name)" }
    }
  }
}
