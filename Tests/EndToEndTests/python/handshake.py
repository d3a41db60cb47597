"""Connects with each client certificate that is named, and says what TLS answered: the alert, or "served"."""

import socket
import ssl

from common import ADDRESS, ARGUMENTS, PKI


def answer(name):
    context = ssl.create_default_context(cafile=PKI / "ca.pem")
    context.set_alpn_protocols(["h2"])
    if name != "none":
        context.load_cert_chain(PKI / f"{name}.pem", PKI / f"{name}.key")
    host, port = ADDRESS.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                # In TLS 1.3 the client is done before the server has looked at its certificate.
                return "served" if tls.recv(1) else "closed"
        except ssl.SSLError as error:
            return error.reason
        except ConnectionError as error:
            return type(error).__name__


for name in ARGUMENTS:
    print(name, answer(name))
