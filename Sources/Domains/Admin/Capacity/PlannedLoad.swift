import AdminAPI
import Base
import DomainKit
import ProtobufRuntime
import WellKnownTypes

/// The arithmetic of a planned load: writes a second = actions / period, reads × ratio, bytes × days, nodes = rate / that
/// of one. Nothing is rounded before it is told.
struct PlannedLoad {
  private static let secondsPerDay: Int64 = 86_400
  private static let longestPeriod: Int64 = 366 * secondsPerDay

  private let writesPerSecond: Fraction
  private let readsPerSecond: Fraction
  private let peakFactor: Int64
  private let bytesPerWrite: Int64
  private let days: Int64
  private let decimals: Int

  /// - Throws: `KitError.invalid`, `.amountOverflow`.
  init(_ request: EstimateCapacityRequest) throws {
    let period = try Self.seconds(request.period)
    let actions = try Fraction(request.actors).times(max(request.actionsPerActor, 1)).divided(by: period)
    if request.actionsRead {
      guard request.readsPerWrite > 0 else {
        throw KitError.invalid(
          FieldViolation(field: "reads_per_write", description: "must be given for actions that read"))
      }
      readsPerSecond = actions
      writesPerSecond = try actions.divided(by: request.readsPerWrite)
    } else {
      writesPerSecond = actions
      readsPerSecond = try actions.times(request.readsPerWrite)
    }
    peakFactor = max(request.peakFactor, 1)
    bytesPerWrite = request.bytesPerWrite
    days = max(Int64(request.daysKept), 1)
    decimals = Int(request.decimals)
  }

  /// - Parameter node: what one node bears in a second; 0 for what is not known.
  /// - Throws: `KitError.amountOverflow`.
  func figures(node: (writes: Int64, reads: Int64)) throws(KitError) -> EstimateCapacityResponse {
    let writesPerDay = try writesPerSecond.times(Self.secondsPerDay)
    let bytesPerDay = try writesPerDay.times(bytesPerWrite)
    let peak = (writes: try writesPerSecond.times(peakFactor), reads: try readsPerSecond.times(peakFactor))
    var response = EstimateCapacityResponse()
    response.writesPerDay = try writesPerDay.text(decimals: decimals)
    response.writesPerSecond = try writesPerSecond.text(decimals: decimals)
    response.readsPerSecond = try readsPerSecond.text(decimals: decimals)
    response.peakWritesPerSecond = try peak.writes.text(decimals: decimals)
    response.peakReadsPerSecond = try peak.reads.text(decimals: decimals)
    response.bytesPerDay = try bytesPerDay.rounded()
    response.bytesKept = try bytesPerDay.times(days).rounded()
    response.writeNodes = try Self.nodes(for: peak.writes, of: node.writes)
    response.readNodes = try Self.nodes(for: peak.reads, of: node.reads)
    return response
  }

  private static func nodes(for rate: Fraction, of one: Int64) throws(KitError) -> Int64 {
    one > 0 ? try rate.divided(by: one).roundedUp() : 0
  }

  private static func seconds(_ period: ProtoDuration?) throws(KitError) -> Int64 {
    guard let period else { return secondsPerDay }
    guard period.nanos == 0, (1...longestPeriod).contains(period.seconds) else {
      throw .invalid(FieldViolation(field: "period", description: "not whole seconds from 1 to 366 days"))
    }
    return period.seconds
  }
}
