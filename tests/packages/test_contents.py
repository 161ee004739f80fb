# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the packages: the collection, all of it, and nothing else."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from pathlib import Path

from .build import COLLECTION, listed

_OF_A_CHECKOUT = re.compile(r"(extensions/molecule|tests/(?!config\.yml$))")


def collection(left_out: str = "") -> set[str]:
    """The collection's files that are to be shipped, without those that match."""
    inside = {name.removeprefix(f"{COLLECTION}/") for name in listed() if name.startswith(f"{COLLECTION}/")}
    return {name for name in inside if not _OF_A_CHECKOUT.match(name) and name not in left_out.split()}


def test_wheel_holds_the_collection_without_its_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    place = f"{COLLECTION.relative_to('collections')}/"
    assert {name.removeprefix(place) for name in names if name.startswith(place)} == collection(left_out="tests/config.yml")
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ansible_collections", "selfheal_recovery"}


def test_artifact_holds_the_collection_without_its_tests(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        names = {member.name for member in archive if member.isfile()}
        reader = archive.extractfile("MANIFEST.json")
        assert reader
        manifest = json.load(reader)
    assert names == collection(left_out="galaxy.yml") | {"FILES.json", "MANIFEST.json"}
    assert manifest["collection_info"]["dependencies"] == {}
