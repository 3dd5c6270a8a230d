"""The generated code belongs to the contract in proto/, and the contract keeps the original's numbers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from engram.wire import engram_pb2 as pb
from tests.doubles.places import ROOT

GENERATED = ("engram_pb2.py", "engram_pb2.pyi", "engram_pb2_grpc.py", "engram_pb2_grpc.pyi")
# The generators write their own versions, and code that depends on them, into what they make.
VERSION = re.compile(r"(GRPC_GENERATED_VERSION = |# Protobuf Python Version: ).*")


def versions(text: str) -> list[str]:
    return [match.group() for match in VERSION.finditer(text)]


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generated")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    subprocess.run(
        [str(ROOT / "scripts/proto"), str(out)],
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "PYTHON": sys.executable, "PATH": path},
    )
    return out / "engram/wire"


def test_the_generated_messages_are_those_of_the_contract(regenerated: Path) -> None:
    found: dict[str, object] = {}
    source = (regenerated / "engram_pb2.py").read_text()
    match = re.search(r"AddSerializedFile\((b'.*')\)\n", source)
    assert match
    exec(f"data = {match.group(1)}", {}, found)  # noqa: S102  # A bytes literal that the generator wrote.
    fresh = descriptor_pb2.FileDescriptorProto.FromString(bytes(found["data"]))  # type: ignore[call-overload]  # Bytes.
    checked_in = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(checked_in)
    assert fresh == checked_in, "run `make proto`"


def test_the_generated_files_are_up_to_date(regenerated: Path) -> None:
    for name in GENERATED:
        checked_in = (ROOT / "src/engram/wire" / name).read_text()
        fresh = (regenerated / name).read_text()
        if versions(checked_in) == versions(fresh):
            assert checked_in == fresh, f"{name} is not what the contract gives; run `make proto`"
        else:
            # Another version of the generator writes other code; the test above still compares the contract.
            assert fresh


@pytest.mark.parametrize(
    ("message", "field", "number"),
    [
        ("ObservationRequest", "memory_space_id", 1),
        ("ObservationRequest", "init", 2),
        ("ObservationRequest", "observation", 3),
        ("ObservationRequest", "flow", 4),
        ("ObservationRequest", "close", 5),
        ("ObservationRequest", "session_id", 10),
        ("ObservationRequest", "sequence_number", 11),
        ("ObservationResponse", "init_ack", 1),
        ("ObservationResponse", "ack", 2),
        ("ObservationResponse", "status", 3),
        ("ObservationResponse", "server_timestamp", 12),
        ("StreamInitAck", "initial_sequence", 2),
        ("StreamStatus", "pressure", 5),
        ("StreamingRecallRequest", "cue", 3),
        ("StreamingRecallRequest", "snapshot_isolation", 5),
        ("StreamingRecallResponse", "snapshot_sequence", 4),
        ("Episode", "embedding", 4),
        ("Episode", "where_location", 10),
        ("Episode", "importance", 22),
        ("Memory", "metadata", 11),
        ("Memory", "tags", 20),
        ("Cue", "semantic", 5),
        ("Cue", "threshold", 10),
        ("RecallMetadata", "recall_time_ms", 4),
    ],
)
def test_the_numbers_of_the_original_are_kept(message: str, field: str, number: int) -> None:
    assert pb.DESCRIPTOR.message_types_by_name[message].fields_by_name[field].number == number
