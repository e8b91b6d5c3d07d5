"""Servers that are not ours."""

import grpc


def listen(server, tls=None):
    """Has a server of grpcio listen, under TLS with the certificate in a folder if one is given. Returns its port."""
    if tls is None:
        return server.add_insecure_port("127.0.0.1:0")
    pair = ((tls / "key.pem").read_bytes(), (tls / "cert.pem").read_bytes())
    return server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
