# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets in text."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.masking import Masker, names_only, without_credentials


@pytest.mark.parametrize(
    "text",
    ["hunter2-secret", "x=hunter2-secret;y", "HUNTERhunter2-secretHUNTER", '{"password":"hunter2-secret"}'],
)
def test_value_is_masked_wherever_it_turns_up(text):
    masked = Masker(["PASSWORD=hunter2-secret"]).text(text)
    assert "hunter2" not in masked
    assert "********" in masked


def test_short_values_and_names_stay():
    assert Masker(["A=12345", "PASSWORD="]).text("A=12345 PASSWORD") == "A=12345 PASSWORD"


def test_longer_value_is_masked_before_the_one_inside_it():
    assert Masker(["A=secret", "B=secret-and-more"]).text("secret-and-more secret") == "******** ********"


@pytest.mark.parametrize("value", ['quote"inside', "back\\slash", "ünïcode-value", "tab\there-too"])
def test_value_is_masked_as_json_writes_it(value):
    for ascii_only in (True, False):
        assert "********" in Masker([f"KEY={value}"]).text(json.dumps({"log": value}, ensure_ascii=ascii_only))


def test_lines_of_a_long_value_are_masked_one_by_one():
    masker = Masker(["KEY=-----BEGIN KEY-----\nbase64line1\nbase64line2\n"])
    assert "base64" not in masker.text("log base64line1\nother\nlog   base64line2")


def test_value_with_an_equals_sign_is_whole():
    assert Masker(["DSN=user=ada password=canary"]).text("got user=ada password=canary") == "got ********"


def test_thousands_of_values_and_a_long_text_take_no_seconds():
    values = [hashlib.sha256(bytes([number % 256, number // 256])).hexdigest() for number in range(10000)]
    masker = Masker(f"K={value}" for value in values)
    began = time.monotonic()
    assert masker.text("0123456789abcdef" * 16384 + values[77]) == "0123456789abcdef" * 16384 + "********"
    assert time.monotonic() - began < 3


def test_data_is_masked_in_depth():
    data = {"a": ["hunter2-secret", {"hunter2-secret": 1}], "n": 5, "t": True, "none": None}
    assert Masker(["P=hunter2-secret"]).data(data) == {"a": ["********", {"********": 1}], "n": 5, "t": True, "none": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ada:pw@db/x", "postgresql://db/x"),
        ("http://token@host/ and http://host/a@b", "http://host/ and http://host/a@b"),
        ("mail ada@example.org", "mail ada@example.org"),
    ],
)
def test_credentials_in_urls_are_taken_out(text, expected):
    assert without_credentials(text) == expected


def test_nothing_to_mask_changes_nothing():
    assert Masker([]).text("plain") == "plain"


def test_names_of_the_environment():
    assert names_only(["A=1", "B=2=3", "C"]) == ["A", "B", "C"]
