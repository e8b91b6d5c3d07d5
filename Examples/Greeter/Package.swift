// swift-tools-version: 6.3
import PackageDescription

// Your package names where Octet lies on the disk. Run `make generate` there once.
let package = Package(
  name: "greeter",
  dependencies: [.package(name: "octet", path: "../..")],
  targets: [
    // Made by ./generate from Protos: the C of the codec, and the Swift that you use.
    .target(
      name: "CGreeterAPI", dependencies: [.product(name: "OctetRPC", package: "octet")],
      path: "Sources/Generated/CGreeterAPI"),
    .target(
      name: "GreeterAPI", dependencies: ["CGreeterAPI", .product(name: "OctetRPC", package: "octet")],
      path: "Sources/Generated/GreeterAPI"),
    .target(
      name: "CHelloAPI", dependencies: [.product(name: "OctetRPC", package: "octet")],
      path: "Sources/Generated/CHelloAPI"),
    .target(
      name: "HelloAPI", dependencies: ["CHelloAPI", .product(name: "OctetRPC", package: "octet")],
      path: "Sources/Generated/HelloAPI"),
    // A service of one method, and a client of it.
    .executableTarget(
      name: "hello-server", dependencies: ["HelloAPI", .product(name: "OctetRPC", package: "octet")]),
    .executableTarget(
      name: "hello-client", dependencies: ["HelloAPI", .product(name: "OctetRPC", package: "octet")]),
    // All four kinds of method.
    .executableTarget(
      name: "greeter-server", dependencies: ["GreeterAPI", .product(name: "OctetRPC", package: "octet")]),
    .executableTarget(
      name: "greeter-client", dependencies: ["GreeterAPI", .product(name: "OctetRPC", package: "octet")]),
  ]
)
