import Foundation
import Testing

@testable import Normalization

@Suite struct FoldedScalarsTests {
  private func fold(_ text: String) -> [Unicode.Scalar] {
    var folding = FoldedScalars()
    var result: [Unicode.Scalar] = []
    for scalar in text.unicodeScalars { folding.fold(scalar) { result.append($0) } }
    return result
  }

  @Test(arguments: [
    ("Idiot", "idiot"), ("ＩＤＩＯＴ", "idiot"), ("𝓘𝔡𝕚𝖔𝚝", "idiot"), ("ⓘⓓⓘⓞⓣ", "idiot"), ("ﬁ", "fi"), ("Straße", "strasse"),
    ("i\u{200B}d\u{00AD}i\u{FEFF}o\u{2060}t", "idiot"), ("é", "e\u{301}"), ("①", "1"), ("ΣΊΣΥΦΟΣ", "σι\u{301}συφοσ"),
    ("", ""),
  ])
  func `what means the same becomes the same`(text: String, folded: String) {
    #expect(fold(text) == Array(folded.unicodeScalars))
  }

  @Test func `agrees with the forms of another implementation, scalar by scalar`() {
    var differences: [String] = []
    var looked = 0
    for value in UInt32(0x80)...0x1FFFF {
      guard let scalar = Unicode.Scalar(value), scalar.properties.generalCategory != .unassigned,
        !scalar.properties.isDefaultIgnorableCodePoint, !scalar.properties.changesWhenNFKCCaseFolded
      else { continue }
      looked += 1
      let expected = Array(String(scalar).decomposedStringWithCompatibilityMapping.unicodeScalars)
      if fold(String(scalar)) != expected { differences.append(String(value, radix: 16)) }
    }
    #expect(looked > 30_000)
    #expect(differences == [])
  }

  @Test func `the longest expansion there is fits`() {
    #expect(fold("\u{FDFA}").count == 18)
  }
}
