import DomainKit
import RPC
import Testing

@testable import Audit

@Test func `the error table is as documented`() {
  #expect(AuditError.samples.map { "\($0.mapping.reason) \($0.mapping.code)" } == ["CHAIN_BROKEN DATA_LOSS"])
  #expect(AuditError.chainBroken(number: 17).mapping.metadata == ["number": "17"])
}
