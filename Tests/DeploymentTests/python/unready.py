# An admin API that says it is not ready, as a gateway does whose audit log has no room. Prints its port.
#
#   unready.py CERTIFICATE KEY

import http.server
import ssl
import sys

BODY = b'{"ready":false,"components":[{"name":"audit","ready":false,"detail":"the disk is full"}]}'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/readyz" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"port={server.server_port}.", flush=True)
server.serve_forever()
