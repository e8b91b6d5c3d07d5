import Base
import DomainKit
import Storage

/// Takes letters out whose words are stored nowhere: a job has their id, and their source makes them when they go.
struct LetterCourier: Sendable {
  let core: NotifyCore
  let outbound: any Outbound

  /// The letter will be tried again. What it says of the reason holds no address.
  private struct NotTaken: Error, CustomStringConvertible {
    let description: String
  }

  func run(_ job: Job) async throws {
    guard let id = LetterID(parsing: job.timer.key), let source = core.letters[id.source] else {
      // What an older program posted and this one does not know, nobody can write.
      return core.kit.log.error("letter_dropped", ["key": .text(job.timer.key)])
    }
    let letter = try await core.kit.database.read { reader in
      try source.letter(id.key, in: reader).map { try written($0, in: reader) }
    }
    guard let letter else { return }
    let outcome = try await outbound.sendUnlessCancelled(letter)
    // A worker that is stopped notes nothing: what it was told may be that it had to stop.
    try Task.checkCancellation()
    switch outcome {
    case .accepted: return
    case .refused(let reason), .gone(let reason):
      core.kit.log.warning("letter_refused", ["letter": .text(letter.notice), "reason": .text(reason)])
    case .retry(let reason): throw NotTaken(description: reason)
    }
  }

  private func written(_ letter: UnstoredLetter, in reader: any Reader) throws -> OutboundLetter {
    let words = try core.words(of: letter.kind, in: letter.language, reader).filled(with: letter.values)
    let way: Way =
      switch letter.contact {
      case .email: .mail
      case .phone: .sms
      }
    return OutboundLetter(
      key: "\(letter.id).\(way.name)", way: way.name, address: letter.address, title: words.title, text: words.text,
      kind: letter.kind.name, notice: letter.id)
  }
}

extension NotifyCore {
  /// Says how letters are sent. Before the timers are started.
  func handleLetters() {
    var policy = RetryPolicy()
    // Its source knows how long a letter is good for.
    policy.attempts = .max
    policy.longest = limits.longestLetterWait
    for (kind, way) in [(ContactKind.email, Way.mail), (.phone, .sms)] {
      guard let outbound = outbound[way] else { preconditionFailure("there is no outbound for \(way.name)") }
      let courier = LetterCourier(core: self, outbound: outbound)
      timers.work(LetterPost.job(kind), policy: policy, atOnce: limits.lettersAtOnce) { try await courier.run($0) }
    }
  }
}
