# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind ``roundtrip`` against a small service that keeps notes: what it finds, and that it leaves nothing behind (lesson 35)."""

from __future__ import annotations

import json
import re
import socket
import threading
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import roundtrip
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock, RawServer, response

MARKER = re.compile(r"selfheal-roundtrip-[0-9a-f]{16}")


class Notes(RawServer):
    """A service that keeps notes. ``broken`` maps a method to an answer of its own (``None``: it is never given)."""

    def __init__(self, says="header", broken=None, late=0):
        self.kept = {}
        self.says = says
        self.broken = broken or {}
        self.late = late
        self.numbers = iter(range(1, 1000))
        super().__init__(self._talk_about, None)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/notes"

    @property
    def methods(self):
        return [method for method, _target, _head in self.requests]

    def _talk_about(self, connection, method, target):
        if method in ("POST", "PUT"):
            answer = self._keep(method, target, self.requests[-1][2].partition("\r\n\r\n")[2].encode())
        elif method == "GET":
            answer = response(200, b"<p>" + self.kept[target] + b"</p>") if target in self.kept else response(404)
        else:
            answer = response(204 if self.kept.pop(target, None) is not None else 404)
        if method in self.broken:
            answer = self.broken[method]
        if self.late:
            threading.Event().wait(self.late)
        if answer is not None:
            connection.sendall(answer)
        else:
            self.stopped.wait(30)

    def _keep(self, method, target, body):
        place = target if method == "PUT" else f"/notes/{next(self.numbers)}"
        self.kept[place] = body
        if method == "PUT":
            return response(201)
        return {
            "header": response(201, Location=place),
            "redirect": response(303, Location=place),
            "json": response(201, json.dumps({"data": [{"id": int(place.rpartition("/")[2])}]}).encode()),
            "body": response(200, f"http://127.0.0.1:{self.port}{place}\n".encode()),
            "elsewhere": response(201, Location="http://other.invalid/notes/1"),
            "nothing": response(201),
        }[self.says]


def probe(notes, **options):
    return measure(kind="roundtrip", url=options.pop("url", notes.url), clock=FakeClock(), **options)


class TestWays:
    def test_roundtrip_healthy_when_what_was_written_is_read_back_and_deleted(self):
        with Notes() as notes:
            result = probe(notes)
            assert notes.methods == ["POST", "GET", "DELETE"]
            assert notes.kept == {}
        assert (result.status, result.metrics["left_behind"]) == ("healthy", False)

    def test_place_that_a_redirect_leads_to(self):
        with Notes("redirect") as notes:
            assert probe(notes).status == "healthy"
            assert notes.kept == {}

    def test_place_in_a_field_of_json(self):
        with Notes("json") as notes:
            result = probe(
                notes,
                body='{"text": "{marker}"}',
                write_headers={"Content-Type": "application/json"},
                location="json",
                location_field="data.0.id",
                read_url="/notes/{location}",
            )
            assert "Content-Type: application/json" in notes.requests[0][2]
            assert notes.kept == {}
        assert result.status == "healthy"

    def test_place_in_the_body(self):
        with Notes("body") as notes:
            assert probe(notes, location="body").status == "healthy"
            assert notes.kept == {}

    def test_place_known_beforehand(self):
        with Notes() as notes:
            assert probe(notes, url=notes.url + "/{marker}", write_method="PUT", location="none").status == "healthy"
            assert MARKER.search(notes.requests[0][1])
            assert notes.kept == {}

    def test_marker_is_another_one_each_time(self):
        with Notes() as notes:
            for _run in range(2):
                probe(notes, url=notes.url + "/{marker}", write_method="PUT", location="none")
            first, second = (MARKER.search(target)[0] for method, target, _head in notes.requests if method == "PUT")
        assert first != second

    def test_secret_header_goes_along_every_time_and_nowhere_else(self):
        with Notes() as notes:
            result = probe(notes, secret_headers={"Authorization": "Bearer hidden-token"})
            assert all("Authorization: Bearer hidden-token" in head for _method, _target, head in notes.requests)
        assert "hidden-token" not in result.message

    def test_note_that_appears_a_moment_later_is_waited_for(self):
        with Notes() as notes:
            answers = iter([response(404), None])
            real = notes._talk_about

            def late(connection, method, target):
                first = next(answers, None) if method == "GET" else None
                connection.sendall(first) if first else real(connection, method, target)

            notes.answer = late
            assert probe(notes).status == "healthy"
            assert notes.methods == ["POST", "GET", "GET", "DELETE"]


class TestFailed:
    def test_roundtrip_failed_when_what_is_read_back_is_something_else(self):
        with Notes(broken={"GET": response(200, b"another note")}) as notes:
            result = probe(notes, attempts=2)
            assert notes.methods == ["POST", "GET", "GET", "DELETE"]
            assert notes.kept == {}
        assert (result.status, "not with what was written" in result.message, result.metrics["left_behind"]) == ("failed", True, False)

    @pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
    def test_write_that_is_answered_with_an_error_is_failed_and_not_repeated(self, status):
        with Notes(broken={"POST": response(status)}) as notes:
            result = probe(notes)
            assert notes.methods == ["POST"]
        assert (result.status, f"answered {status}" in result.message) == ("failed", True)
        assert result.metrics["left_behind"] is (status >= 500)

    def test_refused_is_failed_and_nothing_is_left_behind(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        result = measure(kind="roundtrip", url=f"http://127.0.0.1:{port}/", clock=FakeClock())
        assert (result.status, "refused" in result.message, result.metrics["left_behind"]) == ("failed", True, False)

    def test_write_whose_answer_is_lost_is_not_repeated(self):
        with Notes(broken={"POST": None}) as notes:
            result = probe(notes, deadline=1.0)
            assert notes.methods == ["POST"]
            left = next(iter(notes.kept.values()))
        assert (result.status, result.metrics["left_behind"]) == ("failed", True)
        assert left.decode() in result.message  # the marker is named, so that a person finds it

    def test_lost_answer_at_a_known_place_is_cleaned_up(self):
        with Notes(broken={"PUT": None}) as notes:
            result = probe(notes, deadline=1.0, url=notes.url + "/{marker}", write_method="PUT", location="none")
            assert notes.methods == ["PUT", "DELETE"]
            assert notes.kept == {}
        assert (result.status, result.metrics["left_behind"]) == ("failed", False)

    def test_deleted_although_reading_back_hangs(self):
        with Notes(broken={"GET": None}) as notes:
            began = time.monotonic()
            result = probe(notes, deadline=1.5, attempts=1)
            assert time.monotonic() - began < 2
            assert notes.kept == {}
        assert result.status == "failed"

    def test_both_reading_and_deleting_failing_are_told(self):
        with Notes(broken={"GET": response(500), "DELETE": response(500)}) as notes:
            result = probe(notes, attempts=1)
        assert result.status == "failed"
        assert "GET" in result.message
        assert "left behind: DELETE" in result.message

    @pytest.mark.parametrize(("says", "words"), [("elsewhere", "another host"), ("nothing", "does not say where")])
    def test_place_that_is_not_told_or_elsewhere_is_failed(self, says, words):
        with Notes(says) as notes:
            result = probe(notes)
            assert notes.methods == ["POST"]
        assert (result.status, words in result.message, result.metrics["left_behind"]) == ("failed", True, True)

    def test_redirect_off_the_host_is_not_followed(self):
        with Notes(broken={"GET": response(302, Location="http://other.invalid/")}) as notes:
            result = probe(notes, attempts=1)
            assert notes.methods == ["POST", "GET", "DELETE"]
        assert (result.status, "answered 302" in result.message) == ("failed", True)


class TestNothingOfOthersIsDeleted:
    @pytest.mark.parametrize("read", [response(200, b"please log in"), response(500)])
    def test_what_only_a_redirect_led_to_is_not_deleted_unless_the_marker_is_there(self, read):
        with Notes("redirect", broken={"GET": read}) as notes:
            result = probe(notes, attempts=1)
            assert notes.methods == ["POST", "GET"]
        assert (result.status, result.metrics["left_behind"]) == ("failed", True)
        assert re.search(r"selfheal-roundtrip-\w+ may be left behind: http://127.0.0.1:\d+/notes/1 was not deleted", result.message)

    @pytest.mark.parametrize("status", [301, 307, 308])
    def test_write_that_is_sent_elsewhere_is_failed_and_nothing_there_is_deleted(self, status):
        """As frameworks do for a slash too few: following it with DELETE would hit the whole collection."""
        with Notes(broken={"POST": response(status, Location="/notes/")}) as notes:
            result = probe(notes)
            assert notes.methods == ["POST"]
        assert (result.status, result.metrics["left_behind"]) == ("failed", False)
        assert f"answered {status}, which sends the request elsewhere" in result.message


class TestSoft:
    def test_roundtrip_soft_when_the_delete_is_sent_elsewhere(self):
        with Notes(broken={"DELETE": response(308, Location="/notes/1/")}) as notes:
            result = probe(notes)
        assert (result.status, result.metrics["left_behind"], "answered 308" in result.message) == ("soft", True, True)

    def test_roundtrip_soft_when_the_marker_cannot_be_deleted(self):
        with Notes(broken={"DELETE": response(405)}) as notes:
            result = probe(notes)
            assert notes.methods == ["POST", "GET", "DELETE", "DELETE"]
        assert (result.status, result.remedy, result.metrics["left_behind"]) == ("soft", "report", True)
        assert MARKER.search(result.message)
        assert "answered 405" in result.message

    def test_marker_that_is_gone_already_is_no_complaint(self):
        with Notes(broken={"DELETE": response(404)}) as notes:
            assert probe(notes).status == "healthy"

    def test_roundtrip_soft_when_it_is_slow(self):
        with Notes(late=0.1) as notes:
            result = probe(notes, slow_ms=100)
            assert notes.kept == {}
        assert (result.status, result.remedy, result.metrics["latency_ms"] >= 200) == ("soft", "", True)


class TestUnmeasured:
    def test_roundtrip_unmeasured_when_the_name_is_not_resolved(self):
        with pytest.raises(Unmeasured, match="was not resolved"):
            measure(kind="roundtrip", url="http://no-such-host.invalid/", clock=FakeClock())

    def test_silence_cut_short_by_the_measurement_proves_nothing_and_tells_what_may_be_left(self):
        with Notes(broken={"POST": None}) as notes, pytest.raises(Unmeasured, match=r"deadline.*selfheal-roundtrip-[0-9a-f]{16} may be left behind"):
            probe(notes, deadline=1.0, cut_short=True)

    def test_silence_cut_short_at_a_known_place_is_cleaned_up(self):
        with Notes(broken={"PUT": None}) as notes:
            with pytest.raises(Unmeasured, match=r"deadline came before an answer$"):
                probe(notes, deadline=1.0, cut_short=True, url=notes.url + "/{marker}", write_method="PUT", location="none")
            assert notes.kept == {}

    def test_deleted_although_reading_back_proves_nothing(self):
        with Notes(broken={"GET": None}) as notes:
            with pytest.raises(Unmeasured, match="deadline"):
                probe(notes, deadline=1.5, attempts=1, cut_short=True)
            assert notes.methods == ["POST", "GET", "DELETE"]
            assert notes.kept == {}


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"body": "no marker"},
            {"location": "json"},
            {"location_field": "id"},
            {"location": "none"},
            {"read_url": "http://other.invalid/{location}"},
            {"delete_url": "notes"},
            {"url": "ftp://x/"},
            {"attempts": 0},
            {"attempt_timeout": 0},
            {"write_method": "PATCH"},
            {"write_headers": {"X": "a\r\nB: c"}},
        ],
    )
    def test_options_that_cannot_be_meant(self, options):
        with pytest.raises(BadInput):
            measure(**{"kind": "roundtrip", "url": "http://127.0.0.1:1/", **options})

    def test_it_writes_and_is_critical_and_has_to_be_asked_for(self):
        assert (roundtrip.KIND.writes, roundtrip.KIND.critical) == (True, True)
