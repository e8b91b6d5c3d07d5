import Base
import Cryptography
import DomainKit
import IdentityAPI
import ProtobufRuntime
import RPC
import Storage
import WellKnownTypes

/// octet.identity.v1.ProfileService. Addresses have a file of their own.
struct ProfileHandlers: ProfileService {
  let core: IdentityCore

  var kit: Kit { core.kit }

  func getProfile(_ request: GetProfileRequest, context: ServerContext) async throws -> Profile {
    let caller = context.caller
    if request.userID.isEmpty, caller == nil {
      throw KitError.invalid(FieldViolation(field: "user_id", description: "required without credentials"))
    }
    let id =
      try request.userID.isEmpty
      ? context.requireCaller().user : Identifier(request.userID, kind: IDKind.user, field: "user_id")
    return try await kit.database.read { reader in
      _ = try kit.subjects.visible(SubjectID(IDKind.user, id), to: caller, in: reader)
      guard let user = try UserRow.find(id, in: reader) else { throw KitError.notFound(IDKind.user) }
      var profile = try caller?.user == id ? core.ownProfile(user, in: reader) : Profile(user, isOwn: false)
      try ProfilePhoto.addPath(to: &profile, for: caller?.user, core.files, in: reader)
      return profile
    }
  }

  func updateProfile(_ request: UpdateProfileRequest, context: ServerContext) async throws -> Profile {
    let caller = try context.requireCaller()
    var faults = Faults()
    let newHandle = request.handle.flatMap { Handle($0) }
    if request.handle != nil, newHandle == nil { faults.note(IdentityError.badHandle) }
    let birthDate = try faults.check { try BirthDate.day(of: request.birthDate, now: kit.clock.now()) } ?? nil
    let photo = try faults.check { try request.photoUploadID.map { try ProfilePhoto.Wish($0) } } ?? nil
    try faults.throwIfAny()
    let addPath: @Sendable (inout Profile, any Writer) throws -> Void = { [core] profile, writer in
      try ProfilePhoto.addPath(to: &profile, for: caller.user, core.files, in: writer)
    }
    return try await kit.mutate(request, context, complete: addPath) { writer in
      guard let old = try UserRow.findForUpdate(caller.user, in: writer) else { throw KitError.sessionEnded }
      guard request.etag == String(old.profileVersion) else { throw KitError.etagMismatch }
      if let newHandle, let holder = try UserRow.find(handleKey: newHandle.key, in: writer), holder.id != old.id {
        throw IdentityError.handleTaken
      }
      let handle = newHandle?.text ?? old.handle
      // Whoever is called by the handle goes on being called so.
      let name = request.displayName ?? (old.displayName == old.handle ? handle : old.displayName)
      do {
        try writer.execute(
          """
          UPDATE identity_users SET handle = $2, handle_key = $3, display_name = $4, about = $5,
            profile_version = profile_version + 1 WHERE id = $1
          """, old.id, handle, handle.lowercased(), NewAccount.isBlank(name) ? handle : name,
          request.about ?? old.about)
      } catch let error as StorageError where error.code == .uniqueViolation {
        // Somebody else took it meanwhile.
        throw IdentityError.handleTaken
      }
      try kit.findables.update(SubjectID(IDKind.user, old.id), in: writer)
      if let birthDate { try core.setBirthDate(birthDate, of: old, in: writer) }
      if let photo { try ProfilePhoto.set(photo, of: old, core.files, in: writer) }
      guard let changed = try UserRow.find(old.id, in: writer) else { throw KitError.sessionEnded }
      return try core.ownProfile(changed, in: writer)
    }
  }

  func getPreferences(_ request: GetPreferencesRequest, context: ServerContext) async throws -> Preferences {
    let user = try context.requireCaller().user
    return try await kit.database.read { [core] reader in
      try core.preferences(PreferencesRow.find(user, in: reader), of: user, in: reader)
    }
  }

  func setPreferences(_ request: SetPreferencesRequest, context: ServerContext) async throws -> Preferences {
    let user = try context.requireCaller().user
    let wanted = request.preferences ?? Preferences()
    return try await kit.mutate(request, context) { [core] writer in
      guard let key = try core.authority.sealingKey(of: user, in: writer) else { throw KitError.sessionEnded }
      let row = try PreferencesRow(wanted, core.kit.timeZones) {
        key.seal($0, context: Self.sealingContext(user))
      }
      let old = wanted.etag.isEmpty ? 0 : Int64(wanted.etag) ?? -1
      let shownBefore = try PreferencesRow.find(user, in: writer).visibility
      guard try row.replace(old, of: user, in: writer) else { throw KitError.etagMismatch }
      if row.visibility != shownBefore {
        try core.kit.subjects.visibilityChanged(of: SubjectID(IDKind.user, user), in: writer)
      }
      return try core.preferences(PreferencesRow.find(user, in: writer), of: user, in: writer)
    }
  }

  static func sealingContext(_ id: Identifier) -> [UInt8] { id.rawValue.bigEndianBytes }
}

extension IdentityCore {
  func preferences(
    _ row: PreferencesRow, of user: Identifier, in reader: any Reader
  ) throws -> Preferences {
    var message = Preferences()
    message.language = row.language
    message.regionCode = row.region
    message.currencyCode = row.currency
    message.timeZone = row.timeZone
    message.profileVisibility = row.visibility
    if !row.wishes.isEmpty, let key = try authority.sealingKey(of: user, in: reader) {
      let text = try key.open(row.wishes, context: ProfileHandlers.sealingContext(user))
      message.travelWishes = String(decoding: text, as: UTF8.self)
    }
    message.etag = row.version == 0 ? "" : String(row.version)
    return message
  }
}

extension ProvedContact {
  /// Nil for one that is not proved.
  init?(_ row: ContactRow) {
    guard let provedAt = row.provedAt else { return nil }
    self.init()
    kind =
      switch row.contact {
      case .email: .email
      case .phone: .phone
      }
    address = row.contact.address
    proofTime = Timestamp(provedAt)
  }
}

extension Profile {
  init(_ user: UserRow, isOwn: Bool) {
    self.init()
    userID = user.id.text(kind: IDKind.user)
    handle = user.handle
    displayName = user.displayName
    about = user.about
    createTime = Timestamp(user.createdAt)
    photoID = user.photo?.text(kind: IDKind.blob) ?? ""
    if isOwn { etag = String(user.profileVersion) }
  }
}
