import Cryptography
import DomainKit
import Foundation
import IdentityAPI
import Storage

@testable import Identity

extension House {
  /// Sends what is to go out.
  /// - Returns: the letters in the spool, oldest first.
  func letters() async throws -> [OutboundLetter] {
    try await timers.runDue()
    let names = try FileManager.default.contentsOfDirectory(atPath: spool.path).sorted()
    return try names.map {
      try JSONDecoder().decode(OutboundLetter.self, from: Data(contentsOf: spool.appending(path: $0)))
    }
  }

  /// The newest code that went to an address.
  func code(to address: String) async throws -> String {
    let codes = try await letters().filter { $0.address == address }.compactMap { letter in
      letter.text.split { !$0.isLetter && !$0.isNumber }.map(String.init).first { word in
        word.allSatisfy { $0.isNumber || $0.isUppercase } && [6, 20].contains(word.count)
      }
    }
    return codes.last ?? "no code for \(address)"
  }

  /// Registers somebody, who then proves a contact.
  /// - Returns: a client that is logged in.
  func prove(_ handle: String, _ contact: RegisterRequest.Contact) async throws -> Client {
    try await client().register(handle, contact: contact)
    let someone = client(try await client().login(handle).accessToken)
    try await prove(contact, by: someone)
    return someone
  }

  func prove(_ contact: RegisterRequest.Contact, by someone: Client) async throws {
    try await someone.sendCode(contact)
    try await someone.confirm(contact, code: try await code(to: contact.address))
  }

  /// Solves a challenge for a method.
  func solve(_ method: String, device: DeviceKey? = nil) async throws -> String {
    let challenge = try await client().challenge(method, device: device)
    var number = 0
    while true {
      let solution = "\(challenge.token):\(number)"
      let hash = Hash.sha256(Array(solution.utf8))
      if ProofOfWork.leadingZeroBits(of: hash) >= Int(challenge.zeroBits) { return solution }
      number += 1
    }
  }
}
