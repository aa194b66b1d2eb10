"""Metadata service on a host of the lab, at Google Cloud's address: the host's resolver, and its identity over HTTP."""

from typing import Final

ADDRESS: Final = "169.254.169.254"
SECRET: Final = "the-identity-of-the-machine"
NAMED: Final = "203.0.113.7"
"""Address returned for every name."""

_SERVICE: Final = f'''
import http.server, socket, struct, threading

def answer(question):
    end = 12
    while question[end]:
        end += question[end] + 1
    kind = struct.unpack(">H", question[end + 1 : end + 3])[0]
    found = struct.pack(">HHHIH4B", 0xC00C, 1, 1, 60, 4, *map(int, "{NAMED}".split("."))) if kind == 1 else b""
    return question[:2] + b"\\x81\\x80" + struct.pack(">4H", 1, bool(found), 0, 0) + question[12 : end + 5] + found

def by_udp():
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("{ADDRESS}", 53))
    while True:
        question, client = own.recvfrom(4096)
        own.sendto(answer(question), client)

def by_tcp():
    own = socket.create_server(("{ADDRESS}", 53))
    while True:
        threading.Thread(target=serve, args=[own.accept()[0]], daemon=True).start()

def serve(client):
    while len(head := client.recv(2)) == 2:
        told = answer(client.recv(struct.unpack(">H", head)[0]))
        client.sendall(struct.pack(">H", len(told)) + told)

class Identity(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{SECRET}")

for each in (by_udp, by_tcp):
    threading.Thread(target=each, daemon=True).start()
http.server.ThreadingHTTPServer(("{ADDRESS}", 80), Identity).serve_forever()
'''

START: Final = f"""
sudo ip addr add {ADDRESS}/32 dev lo
cat > /tmp/metadata.py <<'END'
{_SERVICE}
END
sudo systemd-run --quiet --unit=metadata /usr/bin/python3 /tmp/metadata.py
printf 'search lab.internal\\nnameserver {ADDRESS}\\n' | sudo tee /etc/resolv.conf
"""

_PROBE: Final = f"""
import socket, urllib.request
def tried(what):
    try:
        return what()
    except OSError as error:
        return type(error).__name__
print(tried(lambda: socket.getaddrinfo("llm.example", 443, socket.AF_INET)[0][4][0]))
print(tried(lambda: urllib.request.urlopen("http://{ADDRESS}/", timeout=2).read().decode()))
"""


def probe(unit: str = "") -> str:
    """Return a command that prints the name and the identity that a process gets on the host, or inside ``unit``."""
    write = f"cat > /tmp/probe.py <<'END'\n{_PROBE}\nEND\n"
    if not unit:
        return write + "python3 /tmp/probe.py"
    group = f'"/sys/fs/cgroup$(systemctl show -P ControlGroup {unit})/cgroup.procs"'
    enter = f"nsenter --target $(systemctl show -P MainPID {unit}) --mount --net"
    return f"{write}sudo bash -c 'echo $$ > {group}; exec {enter} /usr/bin/python3 - < /tmp/probe.py'"
