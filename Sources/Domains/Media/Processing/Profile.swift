/// One of the things that are made of a picture or a film.
enum Profile: Sendable, Hashable {
  /// A picture whose longer side is at most so many pixels.
  case picture(side: Int)
  /// A film whose shorter side is at most so many pixels.
  case film(side: Int)
  /// A still of a film, whose longer side is at most so many pixels.
  case still(side: Int)
  /// A sound.
  case sound

  private static let names: [String: Profile] = [
    "w160": .picture(side: 160), "w640": .picture(side: 640), "w1280": .picture(side: 1280),
    "240p": .film(side: 240), "480p": .film(side: 480), "720p": .film(side: 720),
    "thumb": .still(side: 160), "poster": .still(side: 1280), "sound": .sound,
  ]

  init?(name: String) {
    guard let profile = Self.names[name] else { return nil }
    self = profile
  }

  /// What its renditions are.
  var contentType: String {
    switch self {
    case .picture, .still: "image/webp"
    case .film: "video/mp4"
    case .sound: "audio/mp4"
    }
  }

  /// Whether its renditions last for a time, and so have a bit rate.
  var plays: Bool {
    switch self {
    case .picture, .still: false
    case .film, .sound: true
    }
  }

  /// Those of a picture of some size: none that would be no larger than the one before.
  static func pictures(width: Int, height: Int) -> [String] {
    let side = max(width, height)
    return ["w160"] + (side > 160 ? ["w640"] : []) + (side > 640 ? ["w1280"] : [])
  }

  static func films(width: Int, height: Int) -> [String] {
    let side = min(width, height)
    return ["thumb", "poster", "240p"] + (side > 240 ? ["480p"] : []) + (side > 480 ? ["720p"] : [])
  }

  /// Those of a sound.
  static let sounds = ["sound"]

  /// The size of what is made of something of a size: never larger, and for films even, as their codec wants it.
  func size(width: Int, height: Int) -> (width: Int, height: Int) {
    switch self {
    case .picture(let side), .still(let side):
      Self.scaled(width, height, min(1, Double(side) / Double(max(width, height))), 1)
    case .film(let side): Self.scaled(width, height, min(1, Double(side) / Double(min(width, height))), 2)
    case .sound: (0, 0)
    }
  }

  private static func scaled(_ width: Int, _ height: Int, _ factor: Double, _ step: Int) -> (width: Int, height: Int) {
    func side(_ length: Int) -> Int { max(step, Int((Double(length) * factor / Double(step)).rounded()) * step) }
    return (side(width), side(height))
  }

  /// Bits per second of the picture at most; a film that moves little takes far less.
  var greatestBitRate: Int {
    switch self {
    case .film(let side) where side <= 240: 500_000
    case .film(let side) where side <= 480: 1_200_000
    default: 2_800_000
    }
  }
}
