import Base
import Cryptography
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

extension ProfileHandlers {
  func putAddress(_ request: PutAddressRequest, context: ServerContext) async throws -> Address {
    let caller = try context.requireCaller()
    let old =
      try request.addressID.isEmpty
      ? nil : Identifier(request.addressID, kind: IDKind.address, field: "address_id")
    let postal = try Self.checked(request.address ?? PostalAddress())
    return try await kit.mutate(request, context) { [core] writer in
      // Held, so that two new ones at once count each other.
      guard try UserRow.findForUpdate(caller.user, in: writer) != nil,
        let key = try core.authority.sealingKey(of: caller.user, in: writer)
      else { throw KitError.sessionEnded }
      let id = old ?? core.kit.identifiers.next()
      let now = core.kit.clock.now()
      let sealed = key.seal(postal.encoded(), context: Self.sealingContext(id))
      if old != nil {
        let changed = try writer.execute(
          "UPDATE identity_addresses SET sealed = $3, updated_at = $4 WHERE user_id = $1 AND id = $2", caller.user, id,
          sealed, now)
        guard changed == 1 else { throw KitError.notFound("address") }
      } else {
        let count: Int? = try writer.first("SELECT COUNT(*) FROM identity_addresses WHERE user_id = $1", caller.user) {
          $0[0]
        }
        guard count ?? 0 < core.limits.addresses else { throw KitError.limitExceeded }
        try writer.execute(
          "INSERT INTO identity_addresses (user_id, id, sealed, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
          caller.user, id, sealed, now)
      }
      let row = try writer.first(
        "SELECT \(AddressRow.columns) FROM identity_addresses WHERE user_id = $1 AND id = $2", caller.user, id,
        make: AddressRow.init)
      guard let row else { throw KitError.notFound("address") }
      return try Address(row, key)
    }
  }

  /// - Throws: `IdentityError.badRegion`, `.badPhoneNumber`; both as an `InvalidRequest`.
  private static func checked(_ address: PostalAddress) throws -> PostalAddress {
    var faults = Faults()
    if !RegionCode.isPlausible(address.regionCode) {
      faults.note(IdentityError.badRegion(field: "address.region_code"))
    }
    var address = address
    if !address.phone.isEmpty {
      if let phone = Contact.phone(parsing: address.phone) {
        address.phone = phone.address
      } else {
        faults.note(IdentityError.badPhoneNumber(field: "address.phone"))
      }
    }
    try faults.throwIfAny()
    // What this server does not know would come back from nobody knows whom.
    address.unknownFields = UnknownFields()
    return address
  }

  func listAddresses(
    _ request: ListAddressesRequest, context: ServerContext
  ) async throws -> ListAddressesResponse {
    let caller = try context.requireCaller()
    let page = try kit.page(request, context)
    let (rows, key) = try await kit.database.read { [core] reader in
      let rows = try reader.rows(
        """
        SELECT \(AddressRow.columns) FROM identity_addresses
        WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
        """, caller.user, page.before, page.fetch, make: AddressRow.init)
      return (rows, try core.authority.sealingKey(of: caller.user, in: reader))
    }
    guard let key else { throw KitError.sessionEnded }
    let (items, next) = page.cut(rows) { [$0.id.sqlValue] }
    var response = ListAddressesResponse()
    response.addresses = try items.map { try Address($0, key) }
    response.nextPageToken = next
    return response
  }

  func deleteAddress(
    _ request: DeleteAddressRequest, context: ServerContext
  ) async throws -> DeleteAddressResponse {
    let caller = try context.requireCaller()
    let id = try Identifier(request.addressID, kind: IDKind.address, field: "address_id")
    return try await kit.mutate(request, context) { writer in
      let deleted = try writer.execute(
        "DELETE FROM identity_addresses WHERE user_id = $1 AND id = $2", caller.user, id)
      guard deleted == 1 else { throw KitError.notFound("address") }
      return DeleteAddressResponse()
    }
  }
}

/// A row of `identity_addresses`.
struct AddressRow: Sendable {
  let id: Identifier
  let sealed: [UInt8]
  let createdAt: Instant
  let updatedAt: Instant

  static let columns = "id, sealed, created_at, updated_at"

  init(_ row: any Row) {
    id = row[0]
    sealed = row[1]
    createdAt = row[2]
    updatedAt = row[3]
  }
}

extension Address {
  init(_ row: AddressRow, _ key: SealingKey) throws {
    self.init()
    id = row.id.text(kind: IDKind.address)
    address = try PostalAddress(decoding: key.open(row.sealed, context: ProfileHandlers.sealingContext(row.id)))
    createTime = Timestamp(row.createdAt)
    updateTime = Timestamp(row.updatedAt)
  }
}
