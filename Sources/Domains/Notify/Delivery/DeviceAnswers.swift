import Base
import DomainKit
import NotifyAPI
import Storage

/// Which of a user's devices have said their last word about a delivery, which does not go to them again.
struct DeviceAnswers: Sendable, Equatable {
  /// Those that have the notice.
  private(set) var taken: [Identifier] = []
  /// Those that will not have it.
  private(set) var refused: [Identifier] = []
  /// Those that are to be forgotten. They are no more when the delivery is read again, so no row names them.
  private(set) var gone: [Identifier] = []

  init() {}

  /// From the columns of `notify_deliveries`.
  init(takenBy: [UInt8]?, refusedBy: [UInt8]?) {
    taken = Self.devices(takenBy)
    refused = Self.devices(refusedBy)
  }

  var takenBy: [UInt8]? { Self.column(taken) }
  var refusedBy: [UInt8]? { Self.column(refused) }

  mutating func note(_ outcome: SendOutcome, of device: Identifier) {
    switch outcome {
    case .accepted: taken.append(device)
    case .refused: refused.append(device)
    case .gone: gone.append(device)
    case .retry: break
    }
  }

  func has(_ device: Identifier) -> Bool { taken.contains(device) || refused.contains(device) }

  /// How a delivery ends that cannot go on: what one device has was sent, whatever keeps it from the others.
  func end(_ state: DeliveryState, _ reason: String) -> (state: DeliveryState, reason: String) {
    taken.isEmpty ? (state, reason) : (.sent, "")
  }

  private static func column(_ devices: [Identifier]) -> [UInt8]? {
    devices.isEmpty ? nil : devices.flatMap(\.rawValue.bigEndianBytes)
  }

  private static func devices(_ column: [UInt8]?) -> [Identifier] {
    guard let column else { return [] }
    return stride(from: 0, to: column.count, by: 8).map { Identifier(rawValue: Int64(bigEndian: column[$0..<$0 + 8])) }
  }
}
