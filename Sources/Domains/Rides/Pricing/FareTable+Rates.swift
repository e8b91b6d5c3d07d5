import Base
import DomainKit
import OctetTypes
import RidesAPI
import Storage
import WellKnownTypes

extension FareTable {
  /// The prices as the calculator takes them.
  var rates: FareRates {
    FareRates(
      version: version, base: baseMinor,
      slabs: slabs.map { FareRates.Slab(fromM: $0.fromM, perKilometre: $0.perKmMinor) }, perMinute: perMinMinor,
      waitingPerMinute: waitingPerMinMinor, nightBasisPoints: Int64(nightBp), nightFromMinute: Int(nightFromMin),
      nightUntilMinute: Int(nightUntilMin), minimum: minimumMinor, fee: feeMinor, taxBasisPoints: Int64(taxBp),
      cashUnit: max(1, cashUnitMinor))
  }
}

extension Fare {
  /// The lines as they go over the wire.
  func messages(currency: String) -> [FareLine] {
    lines.map { line in
      var message = FareLine()
      message.kind = FareLineKind(rawValue: line.kind.rawValue)
      message.amount = Money(minor: line.amount, of: currency)
      return message
    }
  }
}

/// Makes receipts: the same inputs give the same bytes, whenever they are asked for.
enum ReceiptMaker {
  /// - Parameters:
  ///   - ride: with the meter's inputs and the end.
  ///   - table: the one that the quote was made with.
  static func receipt(of ride: RideRecord, inputs: MeterInputs, table: FareTable) throws -> Receipt {
    let fare = try FareCalculator(table.rates).receipt(for: inputs)
    let split = try FareSplit(fare, commissionBasisPoints: Int64(table.commissionBp))
    var receipt = Receipt()
    receipt.rideID = ride.id.text(kind: IDKind.ride)
    receipt.lines = fare.messages(currency: ride.currency)
    receipt.total = Money(minor: fare.total, of: ride.currency)
    receipt.quoteBound = inputs.quoteBinds
    receipt.distanceM = inputs.metered.distanceM
    receipt.durationS = inputs.metered.durationS
    receipt.waitingS = inputs.waitingS
    receipt.tableVersion = table.version
    receipt.surgeBp = Int32(inputs.surgeBasisPoints)
    receipt.method = ride.method
    receipt.driverEarnings = Money(minor: split.driverEarnings, of: ride.currency)
    receipt.commission = Money(minor: split.commission, of: ride.currency)
    receipt.tax = Money(minor: split.tax, of: ride.currency)
    receipt.tolls = Money(minor: split.tolls, of: ride.currency)
    receipt.completedAt = ride.endedAt.map(Timestamp.init)
    return receipt
  }
}

extension Reader {
  /// The receipt of a completed ride, computed from what is stored of its meter, quote and table.
  /// - Throws: `RidesError.wrongState` before the ride is completed.
  func recomputedReceipt(of ride: RideRecord) throws -> Receipt {
    guard let meter = ride.meter else { throw RidesError.wrongState(ride.state) }
    let inputs = try MeterInputs(canonicalBytes: meter)
    guard let table = try fareTable(ofCity: ride.cityID, version: inputs.ratesVersion) else {
      throw StorageError(.corrupt, operation: "read", message: "the fare table of a ride is missing")
    }
    return try ReceiptMaker.receipt(of: ride, inputs: inputs, table: table)
  }

  /// What a ride by this quote is estimated to earn its driver; nil if the table is gone.
  func expectedEarnings(of quote: FareQuote, city: Identifier) throws -> Money? {
    guard let table = try fareTable(ofCity: city, version: quote.tableVersion), let total = quote.total else {
      return nil
    }
    let tax = quote.lines.filter { $0.kind == .tax }.compactMap(\.amount?.minorUnits).reduce(0, +)
    let shared = total.minorUnits - tax
    let commission = try Amount.portion(Int64(table.commissionBp), of: shared)
    return Money(minor: shared - commission, of: total.currencyCode)
  }
}
