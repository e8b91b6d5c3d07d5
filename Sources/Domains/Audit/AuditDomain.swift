import AuditAPI
import Cryptography
public import DomainKit
public import RPC
public import Storage

/// The trail of staff calls, changes of rights and decisions, and whether the server's invariants hold.
///
///     let kit = Kit(…, audit: AuditTrail(clock: clock))
///     let audit = try AuditDomain(kit: kit, checked: [identity, chat])
public struct AuditDomain: Domain {
  public static let name = "audit"
  public static var migrations: [Migration] { AuditSchema.migrations }
  public static var descriptors: [[UInt8]] { [AuditAPIDescriptors.serializedFileDescriptorSet] }

  let sealer: Sealer
  private let verifier: ChainVerifier
  private let kit: Kit
  private let checked: [any Domain]

  /// - Parameter checked: the domains whose invariants CheckInvariants looks at, beside its own.
  /// - Throws: `CryptographyError` for unusable keys.
  public init(kit: Kit, checked: [any Domain]) throws {
    self.kit = kit
    self.checked = checked
    let key = try SigningKey(seed: kit.keys.derived(for: "audit heads 1"))
    sealer = Sealer(kit: kit, key: key)
    verifier = ChainVerifier(kit: kit, publicKey: key.publicKey)
  }

  public func register(in registry: inout ServiceRegistry) {
    AuditHandlers(kit: kit, verifier: verifier, checked: checked + [self]).register(in: &registry)
  }

  public func checkInvariants() async throws -> [InvariantCheck] {
    let statement = "a sealed record is neither altered, dropped nor reordered"
    do {
      let result = try await verifier.verify()
      return [InvariantCheck(number: 12, statement: statement, rowsChecked: Int(result.records), violations: [])]
    } catch AuditError.chainBroken(let number) {
      return [InvariantCheck(number: 12, statement: statement, rowsChecked: Int(number), violations: ["\(number)"])]
    }
  }

  public func start() { sealer.start() }

  public func stop() async { await sealer.stop() }
}
