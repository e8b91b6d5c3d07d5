import Base
import ProtobufRuntime

/// `octet rides track RIDE`: where a ride is. On a terminal one picture that is redrawn in place, otherwise a line for
/// each position.
struct RideTracker {
  static let method = "octet.rides.v1.TrackingService.TrackRide"

  private let pool: DescriptorPool
  private let type: String
  private static let mapColumns = 44
  private static let mapRows = 11
  private static let barColumns = 30

  init(pool: DescriptorPool, type: String) {
    self.pool = pool
    self.type = type
  }

  /// What one message says.
  private struct Position {
    var state: String
    var place: Place?
    var speed: Double?
    var eta: Int64?
    var left: Int64?
    var measuredAt: Int64?
    var route: [Place]

    init(_ message: DynamicMessage) {
      let prefix = "RIDE_STATE_"
      let name = message.enumName("state")
      state = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
      place = message.message("place").map(Place.init)
      speed = message.double("speed_mps")
      eta = message.integer("eta_s")
      left = message.integer("distance_left_m")
      measuredAt = message.message("measured_at")?.integer("seconds")
      route = message.messages("route_left").map(Place.init)
    }

    /// Whether the rider is on board, so that the way is to the drop-off.
    var isUnderWay: Bool { state == "IN_PROGRESS" }
  }

  /// A point in degrees.
  private struct Place: Equatable {
    var latitude: Double
    var longitude: Double

    init(_ message: DynamicMessage) {
      latitude = message.double("latitude") ?? 0
      longitude = message.double("longitude") ?? 0
    }

    var text: String { RideTracker.fixed(latitude, 5) + ", " + RideTracker.fixed(longitude, 5) }
  }

  /// What is known from the messages before.
  private struct Progress {
    var state = ""
    var longest: Int64 = 0
    var trail: [Place] = []

    mutating func add(_ position: Position) {
      if position.state != state {
        state = position.state
        longest = 0
      }
      longest = max(longest, position.left ?? 0)
      let longestTrail = 200
      if let place = position.place, trail.last != place { trail.append(place) }
      if trail.count > longestTrail { trail.removeFirst() }
    }
  }

  func run(_ runner: CallRunner, _ request: JSONText?) async throws {
    var display = Terminal.isInteractive ? LiveDisplay() : nil
    var progress = Progress()
    let ride = rideID(request)
    try await runner.run(.objects([Array((request ?? .object([])).text.utf8)])) { bytes in
      guard let message = DynamicMessage(bytes, type: type, pool: pool) else { return }
      let position = Position(message)
      progress.add(position)
      if display != nil {
        display?.draw(picture(ride, position, progress))
      } else {
        Output.print(line(position))
      }
    }
    Output.print("the ride has ended")
  }

  private func rideID(_ request: JSONText?) -> String {
    guard case .object(let members)? = request, case .string(let id)? = members.first(where: { $0.0 == "ride_id" })?.1
    else { return "" }
    return Terminal.plain(id)
  }

  // MARK: Lines

  private func line(_ position: Position) -> String {
    var parts = [position.measuredAt.map { Self.clock($0) } ?? "--:--:--", position.state]
    if let place = position.place { parts.append(place.text) }
    if let eta = position.eta { parts.append("eta \(Self.span(eta))") }
    if let left = position.left { parts.append("\(left) m left") }
    if let speed = position.speed { parts.append("\(Self.fixed(speed * 3.6, 0)) km/h") }
    return parts.joined(separator: "  ")
  }

  private func picture(_ ride: String, _ position: Position, _ progress: Progress) -> [String] {
    var lines = ["\u{1b}[1m\(ride)\u{1b}[0m  \(position.state)", ""]
    guard position.place != nil else { return lines + ["waiting for the driver's position"] }
    let goal = position.isUnderWay ? "drop-off" : "pickup"
    if let left = position.left, progress.longest > 0 {
      let done = Int(Int64(Self.barColumns) * (progress.longest - left) / progress.longest)
      let bar = String(repeating: "█", count: done) + String(repeating: "░", count: Self.barColumns - done)
      lines.append("\(bar)  \(Self.distance(left)) to the \(goal)")
    }
    var facts: [String] = []
    if let eta = position.eta { facts.append("arrives in \(Self.span(eta))") }
    if let speed = position.speed { facts.append("\(Self.fixed(speed * 3.6, 0)) km/h") }
    if let time = position.measuredAt { facts.append("at \(Self.clock(time)) UTC") }
    lines.append(facts.joined(separator: "   "))
    return lines + [""] + map(position, progress.trail)
  }

  /// The trail (·), the way ahead (○, the last of it ◎) and the car (●).
  private func map(_ position: Position, _ trail: [Place]) -> [String] {
    let points = trail + position.route
    guard let west = points.map(\.longitude).min(), let east = points.map(\.longitude).max(),
      let south = points.map(\.latitude).min(), let north = points.map(\.latitude).max()
    else { return [] }
    // Points that lie on one line would leave nothing to divide by.
    let smallest = 1e-4
    let width = max(east - west, smallest)
    let height = max(north - south, smallest)
    var rows = [[Character]](
      repeating: [Character](repeating: " ", count: Self.mapColumns), count: Self.mapRows)
    func put(_ place: Place, _ mark: Character) {
      let column = Int((place.longitude - west) / width * Double(Self.mapColumns - 1))
      let row = Int((north - place.latitude) / height * Double(Self.mapRows - 1))
      rows[min(max(row, 0), Self.mapRows - 1)][min(max(column, 0), Self.mapColumns - 1)] = mark
    }
    for place in trail { put(place, "·") }
    for place in position.route.dropFirst() { put(place, "○") }
    if let goal = position.route.last { put(goal, "◎") }
    if let place = position.place { put(place, "●") }
    let edge = String(repeating: "─", count: Self.mapColumns)
    return ["┌\(edge)┐"] + rows.map { "│" + String($0) + "│" } + ["└\(edge)┘"]
  }

  // MARK: Numbers

  /// Time of day in UTC.
  private static func clock(_ seconds: Int64) -> String {
    let second = ((seconds % 86_400) + 86_400) % 86_400
    return [second / 3600, second / 60 % 60, second % 60].map { ($0 < 10 ? "0" : "") + String($0) }
      .joined(separator: ":")
  }

  private static func span(_ seconds: Int64) -> String {
    seconds < 60 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
  }

  private static func distance(_ metres: Int64) -> String {
    metres < 1000 ? "\(metres) m" : fixed(Double(metres) / 1000, 1) + " km"
  }

  /// A number with so many decimals.
  fileprivate static func fixed(_ number: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let limit = 1e15  // Beyond, a Double has no decimals to show.
    guard number.isFinite, abs(number) < limit else { return "?" }
    let scaled = Int64((abs(number) * scale).rounded())
    let sign = number < 0 && scaled != 0 ? "-" : ""
    if decimals == 0 { return sign + String(scaled) }
    let digits = String(scaled, width: decimals + 1)
    return sign + digits.dropLast(decimals) + "." + digits.suffix(decimals)
  }
}
