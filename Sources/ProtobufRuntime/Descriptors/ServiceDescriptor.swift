internal import CDescriptor

/// One method of a service.
public final class MethodDefinition: Sendable {
  /// The name without the service: `RequestRide`.
  public let name: String
  /// Service and name: `octet.rides.v1.RideService.RequestRide`.
  public let fullName: String
  /// Full name of the request message.
  public let inputType: String
  /// Full name of the response message.
  public let outputType: String
  public let isClientStreaming: Bool
  public let isServerStreaming: Bool
  public let isDeprecated: Bool
  /// Whether `idempotency_level` is NO_SIDE_EFFECTS.
  public let hasNoSideEffects: Bool
  /// The comment before the method; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]

  init(_ proto: Google__Protobuf__MethodDescriptorProto, _ source: DescriptorSource) {
    name = ProtobufRuntime.text(proto.name) ?? ""
    fullName = source.fullName(name)
    inputType = ProtobufRuntime.fullName(proto.input_type)
    outputType = ProtobufRuntime.fullName(proto.output_type)
    isClientStreaming = proto.client_streaming != 0
    isServerStreaming = proto.server_streaming != 0
    let options = proto.options?.pointee
    isDeprecated = (options?.deprecated ?? 0) != 0
    hasNoSideEffects =
      options?.idempotency_level == GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__NO_SIDE_EFFECTS
    comment = source.comment
    customOptions = ProtobufRuntime.customOptions(options?.base)
  }
}

/// A service.
public final class ServiceDescriptor: Sendable {
  /// The name without its package: `RideService`.
  public let name: String
  /// The name with its package: `octet.rides.v1.RideService`.
  public let fullName: String
  /// The methods in the order of the proto.
  public let methods: [MethodDefinition]
  public let isDeprecated: Bool
  /// The comment before the service; empty if there is none.
  public let comment: String
  /// The custom options in wire form.
  public let customOptions: [UInt8]
  /// The name of the file that defines it.
  public let file: String

  init(_ proto: Google__Protobuf__ServiceDescriptorProto, _ source: DescriptorSource) {
    name = ProtobufRuntime.text(proto.name) ?? ""
    fullName = source.fullName(name)
    let inside = source.inside(name)
    methods = pointees(proto.n_method, proto.method).enumerated()
      .map { MethodDefinition($1.pointee, inside.item(2, $0)) }
    let options = proto.options?.pointee
    isDeprecated = (options?.deprecated ?? 0) != 0
    comment = source.comment
    customOptions = ProtobufRuntime.customOptions(options?.base)
    file = source.file
  }

  /// The method of that name.
  public func method(named name: String) -> MethodDefinition? {
    methods.first { $0.name == name }
  }
}
