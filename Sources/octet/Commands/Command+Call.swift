import ProtobufRuntime

extension Command {
  static let call = Command(
    name: "call", arguments: "SERVICE/METHOD",
    summary: "Call a method with JSON and print the answer as JSON.",
    details: """
      Messages follow the JSON mapping of proto3. Methods that take a stream read JSON objects, one after another, \
      from the data, or from standard input if there is none; each message of a streaming answer is printed on a \
      line of its own.

      The exit code is the gRPC status code: 0 for OK, 5 for NOT_FOUND and so on; 64 for a wrong command line, 74 for \
      trouble with a file.

      Example: octet call RideService/GetRide -d '{"rideId": "ride_01j8z3k4m5n6p"}'
      """,
    options: [dataOption]
  ) { invocation in
    let name = try invocation.words(["SERVICE/METHOD"])[0]
    let client = try await invocation.client()
    let (service, method) = try await client.method(name)
    let runner = CallRunner(client: client, service: service, method: method)
    let source = try await RequestSource.read(invocation.arguments["data"], for: method)
    try await runner.run(source) { message in
      Output.write(try await runner.json(message) + [UInt8(ascii: "\n")])
    }
  }

  static let dataOption = Option(
    "data", short: "d", value: "JSON|@FILE|-", "The request: JSON, a file with it, or - for standard input.")
}

extension RequestSource {
  /// The messages that `data`, the value of `--data`, stands for.
  static func read(_ data: String?, for method: MethodDefinition) async throws -> RequestSource {
    guard let data else {
      return method.isClientStreaming ? .stream(.standard, first: []) : .objects([Array("{}".utf8)])
    }
    if data == "-" || data.first == "@" {
      let file = data == "-" ? InputFile.standard : try InputFile(path: String(data.dropFirst()))
      if method.isClientStreaming { return .stream(file, first: []) }
      return .objects([try await file.readAll()])
    }
    guard method.isClientStreaming else { return .objects([Array(data.utf8)]) }
    var splitter = JSONSplitter()
    var objects = splitter.feed(Array(data.utf8))
    if let rest = splitter.finish() { objects.append(rest) }
    return .objects(objects)
  }
}
