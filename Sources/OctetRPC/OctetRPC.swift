// The RPC stack in one import: `import OctetRPC`. See docs/guides/octet-rpc.md.

@_exported public import Base
@_exported public import HTTP2
@_exported public import Observability
@_exported public import ProtobufRuntime
@_exported public import RPC
@_exported public import StandardServices
@_exported public import WebProtocols
