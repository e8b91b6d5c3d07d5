// swift-tools-version: 6.3
import PackageDescription

/// The consumer systems that octetd serves. Each has `Protos/octet/<domain>/v1`, a generated `<Domain>API`
/// module, `Sources/Domains/<Domain>` and `Tests/<Domain>Tests`. The last one is the example of
/// docs/guides/adding-a-domain.md, which lies in `Examples/<Domain>` and is served by octetd-board alone, for tests.
let domains = [
  "Identity", "Chat", "Notify", "Jobs", "Admin", "Rides", "Social", "Media", "Search", "Audit", "Pinboard",
]
let example = "Pinboard"
let served = domains.filter { $0 != example }

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

/// Everything but the wrappers of C libraries: no unsafe construct passes unmarked.
let memorySafe: [SwiftSetting] = strict + [.strictMemorySafety()]

/// A system library behind a module map, with the Debian package that brings it.
func system(_ name: String, pkgConfig: String?, apt: String) -> Target {
  .systemLibrary(name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// The generated code of one proto package: the C that protoc-gen-c makes and the Swift that protoc-gen-octet makes.
func generated(
  _ name: String, uses modules: [String] = [], services: Bool = false
) -> [Target] {
  [
    .target(
      name: "C\(name)",
      dependencies: ["CProtobufC"] + modules.map { .target(name: "C\($0)") },
      path: "Sources/Generated/C\(name)"),
    .target(
      name: name,
      dependencies: [.target(name: "C\(name)"), "CProtobufC", "ProtobufRuntime"] + (services ? ["RPC"] : [])
        + modules.flatMap { [Target.Dependency.target(name: $0), .target(name: "C\($0)")] },
      path: "Sources/Generated/\(name)",
      swiftSettings: strict),
  ]
}

func library(
  _ name: String, path: String? = nil, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil,
  settings: [SwiftSetting] = memorySafe
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", resources: resources,
    swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}

func tests(
  _ name: String, path: String? = nil, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies, path: path ?? "Tests/\(name)Tests",
    exclude: exclude, swiftSettings: strict)
}

let systemLibraries: [Target] = [
  .systemLibrary(name: "CLinux", path: "Sources/C/CLinux"),
  system("CNghttp2", pkgConfig: "libnghttp2", apt: "libnghttp2-dev"),
  system("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
  system("CPostgreSQL", pkgConfig: "libpq", apt: "libpq-dev"),
  system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
  system("CProtobufC", pkgConfig: "libprotobuf-c", apt: "libprotobuf-c-dev"),
  system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
  system("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
  system("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
  // What its pkg-config file asks for is for Windows, and SwiftPM would warn of it.
  system("CUtf8proc", pkgConfig: nil, apt: "libutf8proc-dev"),
]

let generatedModules: [Target] =
  [
    .target(name: "CDescriptor", dependencies: ["CProtobufC"], path: "Sources/Generated/CDescriptor")
  ]
  + generated("WellKnownTypes")
  + generated("GoogleRPC", uses: ["WellKnownTypes"])
  + generated("OctetTypes", uses: ["WellKnownTypes"])
  + generated("StandardServicesAPI", services: true)
  + generated("ChannelzAPI", uses: ["WellKnownTypes"], services: true)
  + generated("BenchAPI", services: true)
  + generated("InteropAPI", services: true)
  + generated("OpenTelemetryAPI", services: true)
  + generated("RoundTripAPI", uses: ["WellKnownTypes"])
  + domains.flatMap { domain in
    generated(
      "\(domain)API",
      uses: ["WellKnownTypes", "GoogleRPC", "OctetTypes"] + (domain == "Rides" ? ["ChatAPI"] : []),
      services: true)
  }

let rpcStack: [Target] = [
  library("Base", ["CLinux"], settings: strict),
  library("Cryptography", ["Base", "COpenSSL", "CSodium"], settings: strict),
  library("ProtobufRuntime", ["Base", "CProtobufC", "CDescriptor"], settings: strict),
  library("Compression", ["Base", "CZlib"], settings: strict),
  library("Normalization", ["CUtf8proc"], settings: strict),
  library("RPC", ["Base", "Compression", "ProtobufRuntime", "WellKnownTypes", "GoogleRPC"]),
  library(
    "StandardServices", ["Base", "RPC", "ProtobufRuntime", "StandardServicesAPI", "ChannelzAPI", "WellKnownTypes"]),
  library("WebProtocols", ["Base", "ProtobufRuntime", "RPC"]),
  library(
    "OctetRPC", ["Base", "ProtobufRuntime", "RPC", "HTTP2", "StandardServices", "WebProtocols", "Observability"]),
  library(
    "HTTP2", ["Base", "RPC", "ProtobufRuntime", "StandardServicesAPI", "CNghttp2", "COpenSSL", "CLinux"],
    settings: strict),
  library("Observability", ["Base", "RPC", "ProtobufRuntime", "OpenTelemetryAPI"]),
  library("BenchServices", ["Base", "RPC", "ProtobufRuntime", "BenchAPI"]),
]

let houseTargets: [Target] = [
  library("Storage", ["Base"]),
  library("StorageSQLite", ["Base", "Storage", "CSQLite"], settings: strict),
  library("StoragePostgreSQL", ["Base", "Storage", "CPostgreSQL", "CLinux"], settings: strict),
  library("TransactionShapes", ["Base", "Storage"]),
  library("Streaming", ["Base", "Storage", "Cryptography"]),
  library("NATS", ["Base", "COpenSSL", "Streaming", "CLinux"], settings: strict),
  library("Blobs", ["Base", "Cryptography", "Storage"]),
  library("Curl", ["Base", "CCurl"], settings: strict),
  library("BlobsS3", ["Base", "Blobs", "Cryptography", "Curl"], settings: strict),
  library(
    "DomainKit",
    [
      "Base", "Blobs", "ProtobufRuntime", "RPC", "Storage", "Streaming", "Cryptography", "WellKnownTypes", "GoogleRPC",
      "OctetTypes", "ChatAPI", "Normalization",
    ],
    resources: [.embedInCode("Toxicity/words.txt")]),
]

let outboundTargets: [Target] = [
  library("Couriers", ["Base", "Curl", "DomainKit"])
]

let domainTargets: [Target] = domains.map { domain in
  library(
    domain, path: domain == example ? "Examples/\(domain)/Sources" : "Sources/Domains/\(domain)",
    [
      "Base", "Blobs", "ProtobufRuntime", "RPC", "Storage", "Streaming", "DomainKit", "Cryptography",
      "WellKnownTypes", "GoogleRPC", "OctetTypes", .target(name: "\(domain)API"),
    ] + (domain == "Rides" ? ["ChatAPI"] : []))
}

/// All that octetd does, as a library: a program that serves further domains with it is a few lines.
let serverTargets: [Target] = [
  library(
    "OctetServer",
    [
      "Base", "Blobs", "BlobsS3", "Couriers", "Cryptography", "ProtobufRuntime", "RPC", "StandardServices",
      "StandardServicesAPI",
      "ChannelzAPI", "BenchAPI", "BenchServices", "WebProtocols", "HTTP2", "Observability", "Storage", "NATS",
      "StoragePostgreSQL", "StorageSQLite", "Streaming", "TransactionShapes", "DomainKit", "WellKnownTypes",
      "GoogleRPC", "OctetTypes",
    ] + served.flatMap { [Target.Dependency.target(name: $0), .target(name: "\($0)API")] },
    settings: strict)
]

let programs: [Target] = [
  program("protoc-gen-octet", ["ProtobufRuntime", "CDescriptor", "CProtobufC"]),
  program("octetd", ["OctetServer"]),
  program("octet", ["Base", "Cryptography", "Curl", "ProtobufRuntime", "RPC", "HTTP2"]),
  program(
    "octet-interop",
    [
      "Base", "ProtobufRuntime", "RPC", "StandardServices", "StandardServicesAPI", "WebProtocols", "HTTP2",
      "Observability", "BenchAPI", "BenchServices", "InteropAPI", "OctetTypes", "WellKnownTypes",
    ]),
  program(
    "storage-bench",
    [
      "Base", "Blobs", "BlobsS3", "Cryptography", "Storage", "StoragePostgreSQL", "StorageSQLite", "Streaming",
      "TransactionShapes",
    ]),
  program(
    "roundtrip",
    [
      "ProtobufRuntime", "RoundTripAPI", "WellKnownTypes", "GoogleRPC", "OctetTypes",
      "StandardServicesAPI", "ChannelzAPI", "BenchAPI", "InteropAPI", "OpenTelemetryAPI",
    ] + domains.map { .target(name: "\($0)API") }),
]

let benchmarks: [Target] = [
  .executableTarget(
    name: "house-load",
    dependencies: [
      "Base", "Cryptography", "RPC", "HTTP2", "IdentityAPI", "MediaAPI", "RidesAPI", "SearchAPI", "OctetTypes",
    ], path: "Tests/Benchmarks/HouseLoad", swiftSettings: strict)
]

/// An octetd that serves the example as well, for tests through real clients.
let exampleServer: Target = .executableTarget(
  name: "octetd-board", dependencies: ["Base", "OctetServer", .target(name: example)],
  path: "Examples/\(example)/Server", swiftSettings: strict)

let testTargets: [Target] = [
  .target(name: "ChildProcess", dependencies: ["CLinux"], path: "Tests/ChildProcess", swiftSettings: strict),
  .target(
    name: "PostgreSQLServer", dependencies: ["Base", "ChildProcess", "Storage", "StorageSQLite", "StoragePostgreSQL"],
    path: "Tests/PostgreSQLServer", swiftSettings: strict),
  .target(
    name: "Refusals", dependencies: ["GoogleRPC", "ProtobufRuntime", "RPC"], path: "Tests/Refusals",
    swiftSettings: strict),
  .target(
    name: "FilesInMemory", dependencies: ["Base", "Blobs", "DomainKit", "Storage"], path: "Tests/FilesInMemory",
    swiftSettings: strict),
  tests("Base", []),
  tests("Cryptography", ["Base"]),
  tests("Compression", ["Base", "ChildProcess"]),
  tests("Normalization", []),
  tests("ProtobufRuntime", ["Base", "ChildProcess", "RoundTripAPI", "WellKnownTypes", "OctetTypes"]),
  tests(
    "RPC",
    [
      "Base", "Compression", "ProtobufRuntime", "BenchAPI", "GoogleRPC", "OctetTypes", "StandardServices",
      "StandardServicesAPI", "WellKnownTypes",
    ]),
  tests(
    "WebProtocols",
    ["Base", "Compression", "ProtobufRuntime", "RPC", "GoogleRPC", "InteropAPI", "WellKnownTypes"]),
  tests(
    "HTTP2",
    [
      "Base", "ChildProcess", "CLinux", "ProtobufRuntime", "RPC", "BenchAPI", "StandardServices",
      "StandardServicesAPI", "ChannelzAPI", "WellKnownTypes",
    ]),
  tests("Observability", ["Base", "HTTP2", "ProtobufRuntime", "RPC", "OpenTelemetryAPI"]),
  tests(
    "Storage",
    [
      "Base", "Blobs", "ChildProcess", "CSQLite", "PostgreSQLServer", "StorageSQLite", "StoragePostgreSQL", "Streaming",
      "Cryptography", "TransactionShapes",
      "storage-bench",
    ]),
  tests("Streaming", ["Base", "Cryptography", "PostgreSQLServer", "Storage"]),
  tests(
    "NATS",
    ["Base", "ChildProcess", "CLinux", "Cryptography", "PostgreSQLServer", "Storage", "StoragePostgreSQL", "Streaming"]),
  tests(
    "Blobs",
    [
      "Base", "BlobsS3", "ChildProcess", "Cryptography", "PostgreSQLServer", "Storage", "StoragePostgreSQL",
      "StorageSQLite", "storage-bench",
    ]),
  tests(
    "DomainKit",
    [
      "Base", "Blobs", "Cryptography", "PostgreSQLServer", "ProtobufRuntime", "RPC", "Refusals", "Storage", "Streaming",
      "WellKnownTypes", "GoogleRPC", "OctetTypes", "ChatAPI",
    ]),
]

/// The fuzz targets: tests that run their seeds and changes of them, or with OCTET_FUZZ (`make fuzz`) a program that
/// runs them under libFuzzer.
let fuzzDependencies: [Target.Dependency] = [
  "Base", "RPC", "HTTP2", "WebProtocols", "ProtobufRuntime", "BenchAPI", "GoogleRPC", "InteropAPI", "OctetTypes",
  "RoundTripAPI", "WellKnownTypes",
]
let fuzzTargets: [Target] =
  Context.environment["OCTET_FUZZ"] == nil
  ? [
    .testTarget(
      name: "FuzzTests", dependencies: fuzzDependencies, path: "Tests/Fuzz", exclude: ["Driver", "Corpus"],
      swiftSettings: strict)
  ]
  : [
    .systemLibrary(name: "CLibFuzzer", path: "Sources/C/CLibFuzzer"),
    .executableTarget(
      name: "octet-fuzz", dependencies: fuzzDependencies + ["CLibFuzzer"], path: "Tests/Fuzz",
      exclude: ["Smoke", "Corpus"], swiftSettings: strict),
  ]

/// What the tests of a domain have beside: the other domains that it is wired with.
let domainTestExtras: [String: [Target.Dependency]] = [
  "Audit": [
    "Admin", "Blobs", "Chat", "Identity", "Media", "Notify", "Rides", "Search", "Social", "StoragePostgreSQL",
    "StorageSQLite",
  ],
  "Chat": ["FilesInMemory", "Notify"],
  "Identity": ["Audit", "Blobs", "Chat", "ChildProcess", "Couriers", "FilesInMemory", "Notify", "NotifyAPI"],
  "Notify": ["Couriers"],
  "Pinboard": [
    "Admin", "AdminAPI", "Chat", "ChatAPI", "FilesInMemory", "Identity", "IdentityAPI", "Notify", "NotifyAPI", "Search",
    "SearchAPI", "Social",
  ],
  "Rides": ["ChatAPI", "Chat", "Notify"],
  "Social": ["Identity", "IdentityAPI", "Notify", "NotifyAPI", "Search", "SearchAPI"],
]

let outboundTests: [Target] = [tests("Couriers", ["Base", "DomainKit"])]

let domainTests: [Target] = domains.map { domain in
  tests(
    domain, path: domain == example ? "Examples/\(domain)/Tests" : nil,
    [
      "Base", "Cryptography", "PostgreSQLServer", "ProtobufRuntime", "RPC", "Refusals", "Storage", "Streaming",
      "DomainKit",
      "WellKnownTypes", "GoogleRPC", "OctetTypes", .target(name: "\(domain)API"),
    ] + (domainTestExtras[domain] ?? []),
    // Read by the tests from where they lie, and made by hand; not part of the build.
    exclude: domain == "Rides" ? ["Geo/make_s2_golden.py", "Geo/s2_golden.txt"] : [])
}

let package = Package(
  name: "octet",
  products: [
    .executable(name: "octetd", targets: ["octetd"]),
    .executable(name: "octet", targets: ["octet"]),
    .executable(name: "octet-interop", targets: ["octet-interop"]),
    .executable(name: "protoc-gen-octet", targets: ["protoc-gen-octet"]),
    .library(
      name: "OctetRPC",
      targets: [
        "OctetRPC", "Base", "RPC", "HTTP2", "WebProtocols", "ProtobufRuntime", "StandardServices", "Observability",
        "WellKnownTypes", "GoogleRPC",
      ]
    ),
  ],
  targets: systemLibraries + generatedModules + rpcStack + houseTargets + outboundTargets + domainTargets
    + serverTargets + programs + [exampleServer] + benchmarks + testTargets + fuzzTargets + outboundTests
    + domainTests
)
