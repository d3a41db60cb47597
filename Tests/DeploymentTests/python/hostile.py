# A server that is not what it should be, for init-vault.sh to meet. Prints its port, then the headers that it is sent.
#
#   hostile.py CASE

import socket
import sys
import threading
import time

CASE = sys.argv[1]
HEALTH = b'{"initialized":true,"sealed":false,"standby":false}'


def answer(body, status="200 OK", headers=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def serve(connection):
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return
            request += piece
        print(request.decode(errors="replace"), flush=True)
        is_health = b"sys/health" in request
        if CASE == "silent":
            time.sleep(3600)
        elif CASE == "endless":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)
        elif CASE == "slow":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.2)
        elif CASE == "page":
            connection.sendall(answer(b"<html>a login page</html>"))
        elif CASE == "other":
            connection.sendall(answer(b'{"hello":"world"}'))
        elif CASE == "closing":
            pass
        elif CASE == "broken":
            connection.sendall(answer(b"", "502 Bad Gateway"))
        elif CASE == "redirecting":
            elsewhere = f"Location: http://127.0.0.1:{PORT}/stolen\r\n"
            connection.sendall(answer(HEALTH) if is_health else answer(b"", "307 Temporary Redirect", elsewhere))
        elif CASE == "escaping":
            words = b'{"errors":["\\u001b[2Jowned\\u0007\\nexport EVIL=1"]}'
            connection.sendall(answer(HEALTH) if is_health else answer(words, "400 Bad Request"))
        elif CASE == "injecting":
            # Agrees to everything, and has a role id that is a command.
            body = HEALTH if is_health else (
                b'{"type":"shamir","data":{"role_id":"$(touch /tmp/owned)","secret_id":"x y","type":"aes256-gcm96",'
                b'"secret/":{"type":"kv","options":{"version":"2"}},"transit/":{"type":"transit"},'
                b'"approle/":{"type":"approle"}}}'
            )
            connection.sendall(answer(body))


listener = socket.create_server(("127.0.0.1", 0))
PORT = listener.getsockname()[1]
print(f"port={PORT}.", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
