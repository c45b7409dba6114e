"""gunicorn with --preload: two workers, forked from a process that was observed already, answer four requests."""

import os
import socket
import subprocess
import sys

from gunicorn.app.base import BaseApplication
from probe import inside, unchanged

OBSERVED = {"look_up": "retriever.fetch", "write": "processor.write"}
WORKFLOWS = {"answer": "answer"}

SPANS = """
answer: success
  look_up: success
  write: success
answer: success
  look_up: success
  write: success
answer: success
  look_up: success
  write: success
answer: error KeyError
  look_up: error KeyError
"""
EDGES = """
answer -> look_up nested 4
look_up -> write sequential 3
"""

CLIENT = """
import os, signal, sys, urllib.error, urllib.request
for path in "abcd":
    try:
        print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/{path}", timeout=20).read())
    except urllib.error.HTTPError as error:
        print(error.code)
os.kill(os.getppid(), signal.SIGTERM)
"""


def look_up(path):
    inside("look_up")
    return {"/a": b"1", "/b": b"2", "/c": b"3"}[path]


def write(found):
    inside("write")
    return [b"<", found, b">"]


def answer(path):
    inside("answer")
    return write(look_up(path))


def application(environ, start_response):
    with unchanged("a request"):
        try:
            body, status = answer(environ["PATH_INFO"]), "200 OK"
        except KeyError:
            body, status = [b"not there"], "404 Not Found"
    start_response(status, [("Content-Type", "text/plain")])
    return body


class Server(BaseApplication):
    def load_config(self):
        options = {"preload_app": True, "workers": 2, "loglevel": "critical", "control_socket_disable": True}
        for name, value in {**options, "bind": f"fd://{self.usage}"}.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self):
        return application


def main():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = subprocess.Popen([sys.executable, "-c", CLIENT, str(listening.getsockname()[1])])
        try:
            Server(usage=os.dup(listening.fileno())).run()
        finally:
            client.wait(10)
