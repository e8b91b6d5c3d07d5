import Base
import DomainKit
import FilesInMemory
import IdentityAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Identity

@Suite struct VerificationTests {
  private let trail = Trail()

  /// A house, somebody who wants to be verified, and somebody who decides.
  private func open() async throws -> (House, ada: Client, user: String, ops: Client) {
    let house = try await House.open(audit: { [trail] _ in trail })
    let (ada, login) = try await house.signIn("ada")
    let (ops, _) = try await house.signIn("olga")
    try await house.identity.grantRole(handle: "olga", role: "ops")
    return (house, ada, login.user?.id ?? "", ops)
  }

  @Test func `approved documents make somebody verified, and give the role`() async throws {
    let (house, ada, user, ops) = try await open()
    await expectRefusal(.notFound, "NOT_FOUND") { try await ada.verification() }
    let uploads = try (0..<2).map { _ in try house.files.upload(of: user) }
    let requestID = newRequestID()
    let submitted = try await ada.submit(uploads, requestID: requestID)
    #expect(submitted.state == .pending && submitted.documents.map(\.kind) == [.passport, .passport])
    #expect(try await ada.submit(uploads, requestID: requestID) == submitted)
    #expect(house.files.parts.map(\.slot).sorted() == ["document1", "document2"])
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await ada.submit(uploads) }
    #expect(try await ops.verification(of: user) == submitted)

    let approved = try await ops.review(submitted.id, .approved, "fine")
    #expect(approved.state == .approved && approved.reason == "fine" && approved.reviewTime != nil)
    #expect(try await ada.verification() == approved)
    #expect(try await ada.grants().map(\.role) == ["user.verified"])
    #expect(try await house.client().login("ada").user?.level == .verified)
    #expect(try await house.count("SELECT COUNT(*) FROM notify_inbox WHERE kind = 'identity.verified'") == 1)
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await ops.review(submitted.id, .rejected) }
    await expectRefusal(.failedPrecondition, "WRONG_STATE") { try await ada.submit([house.files.upload(of: user)]) }
    let reviews = trail.entries("/octet.identity.v1.VerificationService/ReviewVerification")
    #expect(reviews.map(\.outcome) == [.done, .refused(reason: "WRONG_STATE")])
    #expect(reviews.map(\.object) == Array(repeating: SubjectID(parsing: submitted.id), count: 2))
    #expect(trail.entries("role.granted").last?.facts == [.role("user.verified")])
    await house.close()
  }

  @Test func `what was rejected may be handed in again, and nobody decides about oneself`() async throws {
    let (house, ada, user, ops) = try await open()
    let first = try await ada.submit([house.files.upload(of: user)])
    #expect(try await ops.review(first.id, .rejected, "not readable").state == .rejected)
    #expect(try await house.client().login("ada").user?.level == UserLevel.none)
    #expect(try await house.count("SELECT COUNT(*) FROM notify_inbox WHERE kind = 'identity.not_verified'") == 1)
    let second = try await ada.submit([house.files.upload(of: user)])
    #expect(second.id != first.id && second.state == .pending)
    let own = try await ops.submit([house.files.upload(of: ops.profile().userID)])
    await expectRefusal(.invalidArgument, "SELF_TARGET") { try await ops.review(own.id, .approved) }
    #expect(await badFields { try await ops.review(second.id, .pending) } == ["decision"])
    await house.close()
  }

  @Test func `staff finds those that wait, the one that has waited longest first, page by page`() async throws {
    let (house, ada, user, ops) = try await open()
    #expect(try await ops.verifications() == ListVerificationsResponse())
    var made = [try await ada.submit([house.files.upload(of: user), house.files.upload(of: user)])]
    for handle in ["bob", "cleo", "dora"] {
      let (client, login) = try await house.signIn(handle)
      made.append(try await client.submit([house.files.upload(of: login.user?.id ?? "")]))
    }
    func pages(_ state: VerificationState, of size: Int32) async throws -> [[Verification]] {
      var (pages, token): ([[Verification]], String) = ([], "")
      repeat {
        let page = try await ops.verifications(state, pageSize: size, pageToken: token)
        pages.append(page.verifications)
        token = page.nextPageToken
      } while !token.isEmpty
      return pages
    }
    _ = house.statements.take()
    #expect(try await pages(.pending, of: 50) == [made])
    #expect(house.statements.take().count { $0.contains("identity_verification_documents") } == 1)
    #expect(try await pages(.pending, of: 3) == [Array(made[..<3]), [made[3]]])
    let rejected = try await ops.review(made[1].id, .rejected, "not readable")
    let approved = try await ops.review(made[0].id, .approved)
    #expect(try await pages(.pending, of: 50) == [Array(made[2...])])
    #expect(try await pages(.approved, of: 50) == [[approved]])
    #expect(try await pages(.rejected, of: 50) == [[rejected]])
    #expect(try await pages(.unspecified, of: 2) == [[approved, rejected], Array(made[2...])])
    // What is decided between two pages is on none of those that wait, and none is missed by it.
    let first = try await ops.verifications(.pending, pageSize: 1)
    _ = try await ops.review(made[2].id, .approved)
    let second = try await ops.verifications(.pending, pageSize: 1, pageToken: first.nextPageToken)
    #expect(first.verifications + second.verifications == Array(made[2...]) && second.nextPageToken.isEmpty)
    for state in [VerificationState.unspecified, .approved] {
      await expectRefusal(.invalidArgument, "BAD_PAGE_TOKEN") {
        try await ops.verifications(state, pageSize: 1, pageToken: first.nextPageToken)
      }
    }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await ada.verifications(.pending) }
    await house.close()
  }

  @Test func `strangers see and decide nothing, and hand in no files of others`() async throws {
    let (house, ada, user, ops) = try await open()
    let (eve, login) = try await house.signIn("eve")
    let submitted = try await ada.submit([house.files.upload(of: user)])
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.verification(of: user) }
    await expectRefusal(.permissionDenied, "PERMISSION_DENIED") { try await eve.review(submitted.id, .approved) }
    await expectRefusal(.notFound, "NOT_FOUND") { try await eve.submit([house.files.upload(of: user)]) }
    let subject = try #require(SubjectID(parsing: submitted.id))
    for (id, sees) in [(user, true), (login.user?.id ?? "", false), (try await ops.profile().userID, true)] {
      let id = try Identifier.parse(id, kind: "user")
      let isVisible = try await house.database.read { reader in
        let caller = Caller(user: id, session: id, roles: try house.authority.roles(of: id, in: reader))
        return try house.kit.subjects.isVisible(subject, to: caller, in: reader)
      }
      #expect(isVisible == sees)
    }
    await house.close()
  }

  @Test func `an erased account leaves no documents, and goes without its level`() async throws {
    let (house, ada, user, ops) = try await open()
    let submitted = try await ada.submit([house.files.upload(of: user)])
    _ = try await ops.review(submitted.id, .approved, "the passport of Ada")
    try await ada.closeAccount()
    try await house.advance(by: Closing.delay)
    #expect(house.files.parts.isEmpty)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_verifications") == 0)
    #expect(try await house.count("SELECT COUNT(*) FROM identity_users WHERE level = 3") == 0)
    #expect(try await house.identity.checkInvariants().allSatisfy(\.holds))
    await house.close()
  }
}
