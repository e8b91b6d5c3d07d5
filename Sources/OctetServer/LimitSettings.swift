import Chat
import Identity
import Media
import Notify
import Social

/// The bounds of the domains that an operator may choose: the defaults, changed by parts such as `sessions=5`.
struct LimitSettings: Sendable {
  var identity = IdentityLimits()
  var notify = NotifyLimits()
  var media = MediaLimits()
  var chat = ChatLimits()
  var social = SocialLimits()

  init(_ parts: [String]) throws(UsageError) {
    for part in parts {
      let words = part.split(separator: "=", omittingEmptySubsequences: false)
      guard words.count == 2, let limit = Self.all.first(where: { $0.name == words[0] }) else {
        throw UsageError("limits: \(part) is not NAME=N; there are \(Self.all.map(\.name).joined(separator: ", "))")
      }
      guard let number = Int(words[1]), limit.range.contains(number) else {
        throw UsageError(
          "limits: \(limit.name) is a number from \(limit.range.lowerBound) to \(limit.range.upperBound)")
      }
      limit.set(&self, number)
    }
  }

  private struct Limit: Sendable {
    let name: String
    let range: ClosedRange<Int>
    let set: @Sendable (inout LimitSettings, Int) -> Void

    init(_ name: String, _ range: ClosedRange<Int>, _ set: @escaping @Sendable (inout LimitSettings, Int) -> Void) {
      self.name = name
      self.range = range
      self.set = set
    }
  }

  private static let day = Duration.seconds(86_400)
  private static let anyDays = 1...3650
  private static let anyDaily = 0...1_000_000

  private static let all = [
    Limit("sessions", 1...1000) { $0.identity.sessions = $1 },
    Limit("addresses", 0...1000) { $0.identity.addresses = $1 },
    Limit("credentials", 0...100_000) { $0.identity.credentials = $1 },
    Limit("ended-session-days", anyDays) { $0.identity.endedSessionKept = day * $1 },
    Limit("export-interval-hours", 0...8760) { $0.identity.exportInterval = .seconds(3600) * $1 },
    Limit("export-days", anyDays) { $0.identity.exportKept = day * $1 },
    Limit("notice-days", anyDays) { $0.notify.retention = day * $1 },
    Limit("mails-per-day", anyDaily) { $0.notify.mailsPerDay = Int64($1) },
    Limit("invitations-per-day", anyDaily) { $0.notify.invitationsPerDay = Int64($1) },
    // Decoding takes four bytes a pixel.
    Limit("image-megapixels", 1...200) { $0.media.imagePixels = $1 * 1_000_000 },
    // Time and memory of processing are for a film of a minute.
    Limit("film-seconds", 1...60) { $0.media.filmDuration = .seconds($1) },
    Limit("uploads-per-day", anyDaily) { $0.media.uploadsPerDay = Int64($1) },
    // A blob's bytes are hashed in one go when the last of them has come.
    Limit("upload-mebibytes", 1...10_240) { $0.media.uploadBytes = Int64($1) << 20 },
    Limit("url-minutes", 1...1440) { limits, minutes in
      limits.media.longestLink = .seconds(60) * minutes
      limits.media.linkLifetime = min(limits.media.linkLifetime, limits.media.longestLink)
    },
    Limit("room-members", 2...10_000) { $0.chat.members = Int64($1) },
    Limit("live-posters", 1...100_000_000) { $0.chat.livePosters = Int64($1) },
    Limit("live-post-seconds", 0...3600) { $0.chat.liveSlowMode = .seconds($1) },
    Limit("text-length", 1...10_000) { $0.chat.textLength = $1 },
    Limit("follows-per-day", anyDaily) { $0.social.followsPerDay = Int64($1) },
    Limit("links-per-day", anyDaily) { $0.social.linksPerDay = Int64($1) },
    Limit("emojis-per-day", anyDaily) { $0.social.emojisPerDay = Int64($1) },
    Limit("reports-per-day", anyDaily) { $0.social.reportsPerDay = Int64($1) },
    // A list that is filtered looks each of them up.
    Limit("blocks-and-mutes", 0...100_000) { $0.social.barriers = Int64($1) },
    Limit("appeal-days", anyDays) { $0.social.appealWindow = day * $1 },
  ]
}
