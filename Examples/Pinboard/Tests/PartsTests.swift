import AdminAPI
import Base
import ChatAPI
import Cryptography
import DomainKit
import FilesInMemory
import IdentityAPI
import PinboardAPI
import RPC
import Refusals
import Storage
import Testing

@testable import Pinboard

/// What the shared domains do for the board.
@Suite struct PartsTests {
  @Test func `a photo is a part of its advert, until that comes down or it turns out to be none`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let upload = square.files.upload(of: ada.id)
    await expectRefusal(.notFound, "NOT_FOUND") { _ = try await bob.pin("Blue sofa", photo: upload) }
    let sofa = try await ada.pin("Blue sofa", photo: upload)
    #expect(try await bob.look(at: sofa).photoID == sofa.photoID && sofa.photoID.hasPrefix("blob_"))
    let (id, photo) = (
      try Identifier.parse(sofa.id, kind: "advert"), try Identifier.parse(sofa.photoID, kind: "blob")
    )
    let part = try #require(square.files.parts.first)
    #expect(square.files.parts.count == 1 && part.blob == photo)
    #expect(part.subject == SubjectID("advert", id) && part.slot == "photo")

    let file = StoredFile(
      blob: photo, kind: .image, state: .failed("NOT_DECODABLE"), length: 1, contentType: "image/png", width: 0,
      height: 0, duration: nil)
    try await square.database.write { [kit = square.kit] writer in
      try kit.subjects[part.subject]?.settled(file, as: part.slot, of: id, in: writer)
    }
    #expect(try await bob.look(at: sofa).photoID == "" && square.files.parts.isEmpty)

    let lamp = try await ada.pin("Lamp", photo: square.files.upload(of: ada.id))
    try await ada.remove(lamp)
    let photos = "SELECT 1 FROM pinboard_adverts WHERE photo_id IS NOT NULL"
    #expect(try await square.database.read { try !$0.exists(photos) })
    await square.close()
  }

  @Test func `insults are not pinned, and what may be one is looked at by people`() async throws {
    let square = try await Square()
    let ada = try await square.user("ada")
    await expectRefusal(.failedPrecondition, "TEXT_REFUSED") { _ = try await ada.pin("You idiots") }
    _ = try await ada.pin("Blue sofa")
    let waiting = "SELECT COUNT(*) FROM social_reports"
    #expect(try await square.database.read { try $0.first(waiting) { $0[0] as Int64 } } == 0)
    _ = try await ada.pin("A stupid sofa")
    #expect(try await ada.titles() == ["A stupid sofa", "Blue sofa"])
    #expect(try await square.database.read { try $0.first(waiting) { $0[0] as Int64 } } == 1)
    await square.close()
  }

  @Test func `an invitation goes to an address with a link, from whoever sees the advert`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let sofa = try await ada.pin("Blue sofa")
    await expectRefusal(.invalidArgument, "INVALID_REQUEST") { try await bob.invite("no address", to: sofa) }
    for _ in 0..<2 { try await bob.invite("carol@example.org", to: sofa) }
    try await square.work()
    let letter = try #require(square.post.letters.first)
    #expect(square.post.letters.count == 1 && letter.address == "carol@example.org" && letter.title.hasPrefix("bob_ "))
    #expect(letter.text.hasPrefix("Blue sofa") && letter.object == sofa.id)
    try await ada.hide(sofa)
    await expectRefusal(.notFound, "NOT_FOUND") { try await bob.invite("dan@example.org", to: sofa) }
    await square.close()
  }

  @Test func `whoever takes a piece solves a puzzle first, while staff wants that`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let sofa = try await ada.pin("Blue sofa")
    try await ada.offer(2, of: sofa)
    let ticket = try await bob.ticket(for: sofa)
    let staff = try await square.user("otto", roles: ["ops"])
    try await square.put(Giveaways.puzzles.declaration, true, by: staff)
    await expectRefusal(.failedPrecondition, "CHALLENGE_REQUIRED") { _ = try await bob.claim(sofa, ticket) }
    var request = GetChallengeRequest()
    request.method = "octet.pinboard.v1.GiveawayService/ClaimPiece"
    let challenge = try await SessionServiceClient(bob.channel).getChallenge(request)
    _ = try await Passer(id: bob.id, channel: bob.answering(challenge.token), answering: bob.answering)
      .claim(sofa, ticket)
    #expect(try await ada.giveaway(of: sofa).given == 1)
    await square.close()
  }

  @Test func `those who talk beside an advert see that a piece was taken`() async throws {
    let square = try await Square()
    let ada = try await square.user("ada")
    let sofa = try await ada.pin("Blue sofa")
    try await ada.offer(2, of: sofa)
    var request = OpenRoomRequest()
    (request.requestID, request.kind, request.subjectID) = (newRequestID(), .thread, sofa.id)
    var list = ListMessagesRequest()
    list.roomID = try await ChatServiceClient(ada.channel).openRoom(request).id
    _ = try await ada.claim(sofa, try await ada.ticket(for: sofa))
    let messages = try await ChatServiceClient(ada.channel).listMessages(list).messages
    #expect(messages.map(\.text) == ["A piece was taken."] && messages.map(\.kind) == [.system])
    await square.close()
  }

  @Test func `whoever's advert an editor takes down is told; of machines only workers may`() async throws {
    let square = try await Square()
    let (ada, bob) = (try await square.user("ada"), try await square.user("bob_"))
    let section = try await ada.open("Furniture")
    let (sofa, lamp) = (try await bob.pin("Blue sofa", in: section), try await bob.pin("Lamp", in: section))
    try await ada.clear(sofa)
    #expect(try await bob.notices() == ["Whoever looks after the section has taken Blue sofa down."])
    #expect(try await ada.notices() == [])

    let id = try Identifier.parse(lamp.id, kind: AdvertRow.idKind)
    let board = square.pinboard.board
    func clear(as kind: MachineKind) async throws {
      try await square.database.write { writer in
        let machine = try board.parts.credentials.create(
          NewMachine(
            kind, name: "of the hall", publicKey: [UInt8](repeating: UInt8(kind.rawValue), count: 32), roles: []),
          of: ada.id, by: .user(ada.id), in: writer)
        let caller = Caller(user: machine.id, session: Identifier(rawValue: 1), isMachine: true)
        try board.clear(id, by: caller, in: writer)
      }
    }
    await #expect(throws: KitError.permissionDenied) { try await clear(as: .terminal) }
    try await clear(as: .worker)
    #expect(try await bob.titles() == [])
    await square.close()
  }
}
