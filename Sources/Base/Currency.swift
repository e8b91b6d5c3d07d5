/// The currencies of ISO 4217 that are legal tender somewhere, with the decimals of their minor unit.
public enum Currency {
  /// Decimals of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD; nil for an unknown code.
  public static func exponent(_ code: String) -> Int? {
    exponents[code]
  }

  /// Whether `code` is a currency in capitals.
  public static func isKnown(_ code: String) -> Bool {
    exponents[code] != nil
  }

  /// Every known code.
  public static var codes: some Collection<String> { exponents.keys }

  private static let exponents: [String: Int] = {
    var table: [String: Int] = [:]
    for (exponent, codes) in byExponent {
      for code in codes.split(separator: " ") { table[String(code)] = exponent }
    }
    return table
  }()

  /// ISO 4217 list one, as amended to 2025, without funds, metals and test codes.
  private static let byExponent: KeyValuePairs<Int, String> = [
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC \
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD \
    KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO \
    NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL \
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
  ]
}
