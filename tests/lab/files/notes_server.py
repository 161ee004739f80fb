# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that keeps notes, run on a host of the lab by its own Python; see `tests/lab/notes.py`.

Its one argument is JSON: `{port, fault, kept}`. It says `ready` when it listens, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GIVEN = json.loads(sys.argv[1])
NOTES: dict[str, bytes] = {}
_SLOW_SECONDS = 0.6


class Notes(BaseHTTPRequestHandler):
    """POST /notes keeps one and says where, GET reads it, DELETE drops it. `/notes/` itself is all of them."""

    def do_POST(self) -> None:
        note = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/notes/":
            return self.say(307, b"", "/notes/")  # as frameworks do for a slash too few
        place = f"/notes/{len(NOTES) + 1}"
        self.keep(place, b"" if GIVEN["fault"] == "forgets" else note)
        return self.say(303 if GIVEN["fault"] == "forgets" else 201, b"", place)

    def do_GET(self) -> None:
        if GIVEN["fault"] == "slow":
            time.sleep(_SLOW_SECONDS)
        self.say(200, NOTES[self.path]) if self.path in NOTES else self.say(404)

    def do_DELETE(self) -> None:
        if GIVEN["fault"] == "keeps" or self.path not in (*NOTES, "/notes/"):
            return self.say(405)
        for place in list(NOTES) if self.path == "/notes/" else [self.path]:
            del NOTES[place]
        self.keep()
        return self.say(204)

    def keep(self, place: str = "", note: bytes = b"") -> None:
        if place:
            NOTES[place] = note
        with open(GIVEN["kept"], "w") as file:
            json.dump(sorted(NOTES), file)

    def say(self, status: int, body: bytes = b"", location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nothing: its output is for the lab."""


def main() -> None:
    server = ThreadingHTTPServer(("0.0.0.0", int(GIVEN["port"])), Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


main()
