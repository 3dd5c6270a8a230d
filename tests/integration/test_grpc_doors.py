"""A server does not trust its clients: wrong values on the wire are refused by name, and it starts again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from engram.cli.main import run
from engram.client import AsyncClient, Client
from engram.errors import EngramError, InvalidInput
from engram.store import Cue
from engram.wire import engram_pb2 as pb
from engram.wire.grpc_status import decode_status
from engram.wire.observations import encode_batch
from tests.integration.server_process import (
    DIM,
    REJECTED,
    TIMEOUT_S,
    ObserveCall,
    ServerProcess,
    batch_of,
    connect,
    numbered,
    recall_ids,
    vector_cue,
    vectors_of,
)

NESTED = '{"a":' * 964 + "1" + "}" * 964
Spoil = Callable[[pb.ObservationBatch], object]

BATCHES: dict[str, tuple[Spoil, str]] = {
    "deep": (lambda batch: batch.metadata_json.extend([NESTED, "", ""]), "invalid_metadata"),
    "nan": (lambda batch: batch.metadata_json.extend(["", '{"a":NaN}', ""]), "invalid_metadata"),
    "surrogate": (lambda batch: batch.metadata_json.extend(["", "", '{"a":"\\ud800"}']), "invalid_metadata"),
    "twice": (lambda batch: batch.metadata_json.extend(['{"a":1,"a":2}', "", ""]), "invalid_metadata"),
    "huge": (lambda batch: batch.metadata_json.extend(['{"a":' + "9" * 5000 + "}", "", ""]), "invalid_metadata"),
    "infinite": (lambda batch: batch.metadata_json.extend(['{"a":1e999}', "", ""]), "invalid_metadata"),
    "one metadata": (lambda batch: batch.metadata_json.append("{}"), "column_length"),
    "nanoseconds": (lambda batch: batch.times_us.__setitem__(1, time.time_ns()), "invalid_time"),
    "largest time": (lambda batch: batch.times_us.__setitem__(0, 2**63 - 1), "invalid_time"),
    "not a time": (lambda batch: batch.times_us.__setitem__(2, -(2**63)), "invalid_time"),
    "times": (lambda batch: batch.times_us.extend([0] * 9), "column_length"),
    "confidences": (lambda batch: batch.confidences.append(0.5), "column_length"),
    "importances": (lambda batch: batch.importances.extend([0.5] * 9), "column_length"),
    "nan confidence": (lambda batch: batch.confidences.extend([float("nan"), 1, 1]), "confidence_range"),
    "contents": (lambda batch: batch.contents.pop(), "column_length"),
    "tags": (lambda batch: batch.tags.add(tags=["t"]), "column_length"),
    "empty tag": (lambda batch: batch.tags.extend([pb.TagList(tags=[""])] * 3), "tag_size"),
    "empty id": (lambda batch: batch.ids.__setitem__(1, ""), "id_size"),
    "vector type": (lambda batch: setattr(batch, "vector_type", 9), "invalid_vector_type"),
    "vectors": (lambda batch: setattr(batch, "dimension", 3), "vectors_size"),
}


def spoilt(kind: str) -> tuple[pb.ObservationBatch, str]:
    spoil, code = BATCHES[kind]
    message = encode_batch(batch_of(numbered(1, 3)))
    spoil(message)
    return message, code


async def refusal(call: Any) -> EngramError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    failure = caught.value
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT, failure
    return decode_status(failure.code(), failure.details(), failure.trailing_metadata())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", BATCHES)
async def test_a_bad_batch_is_refused_whole_on_every_way_in(stub: Any, space: str, kind: str) -> None:
    message, code = spoilt(kind)
    error = await refusal(stub.Remember(pb.RememberRequest(memory_space_id=space, batch=message), timeout=TIMEOUT_S))
    assert error.code == code
    call = ObserveCall(stub)
    await call.open(space)
    await call.send(pb.ObservationRequest(sequence_number=1, batch=message))
    assert (await call.read_ack(REJECTED)).ack.error.code == code
    await call.send_batch(1, batch_of(numbered(1, 3)))
    await call.accepted_up_to(3)
    described = await stub.GetSpace(pb.GetSpaceRequest(memory_space_id=space), timeout=TIMEOUT_S)
    assert (described.visible_generation, described.live_count) == (3, 3)


EPISODES: dict[str, tuple[pb.Episode, str]] = {
    "when": (pb.Episode(id="a", embedding=[1.0] * DIM, when=Timestamp(seconds=2**40)), "invalid_time"),
    "nanos": (pb.Episode(id="a", embedding=[1.0] * DIM, when=Timestamp(nanos=-5)), "invalid_time"),
    "early": (pb.Episode(id="a", embedding=[1.0] * DIM, when=Timestamp(seconds=-(2**62))), "invalid_time"),
    "nan": (pb.Episode(id="a", embedding=[float("nan")] * DIM), "not_finite"),
    "bytes": (pb.Episode(id="a", embedding_f32=b"12345"), "invalid_vector"),
    "decay": (pb.Episode(id="a", embedding=[1.0] * DIM, decay_rate=float("nan")), "invalid_metadata"),
    "keys": (pb.Episode(id="a", embedding=[1.0] * DIM, metadata={f"{n}": "" for n in range(1025)}), "invalid_metadata"),
}


@pytest.mark.parametrize("kind", EPISODES)
async def test_a_bad_observation_is_refused(stub: Any, space: str, kind: str) -> None:
    episode, code = EPISODES[kind]
    request = pb.RememberRequest(memory_space_id=space, observation=episode)
    assert (await refusal(stub.Remember(request, timeout=TIMEOUT_S))).code == code


def narrowed(**condition: Any) -> pb.RecallRequest:
    metadata = [pb.MetadataCondition(key="k", **condition)]
    return pb.RecallRequest(cue=pb.Cue(filter=pb.CueFilter(metadata=metadata)))


RECALLS: dict[str, tuple[pb.RecallRequest, str]] = {
    "nothing": (pb.RecallRequest(), "cue_missing"),
    "empty vector": (pb.RecallRequest(cue=pb.Cue(embedding=pb.EmbeddingCue())), "dimension_mismatch"),
    "short vector": (pb.RecallRequest(cue=vector_cue("a", 3)), "dimension_mismatch"),
    "too many": (pb.RecallRequest(cue=vector_cue("a"), max_results=2**31), "invalid_max_results"),
    "ef": (pb.RecallRequest(cue=vector_cue("a"), ef=2**31), "invalid_ef"),
    "future": (pb.RecallRequest(cue=vector_cue("a"), max_generation=10**9), "invalid_max_generation"),
    "largest": (pb.RecallRequest(cue=vector_cue("a"), max_generation=2**64 - 1), "invalid_max_generation"),
    "time": (pb.RecallRequest(cue=vector_cue("a"), snapshot_time=Timestamp(seconds=2**50)), "invalid_time"),
    "since": (pb.RecallRequest(cue=pb.Cue(filter=pb.CueFilter(since=Timestamp(seconds=2**50)))), "invalid_time"),
    "range": (narrowed(range=pb.NumberRange(low=2, high=1)), "invalid_cue"),
    "nan range": (narrowed(range=pb.NumberRange(low=float("nan"))), "invalid_cue"),
    "deep": (narrowed(equals_json="[" * 5000), "invalid_cue"),
    "huge": (narrowed(equals_json="9" * 5000), "invalid_cue"),
    "nan": (narrowed(equals_json="NaN"), "invalid_cue"),
    "surrogate": (narrowed(equals_json='"\\ud800"'), "invalid_cue"),
    "object": (narrowed(equals_json='{"a":1}'), "invalid_cue"),
}


@pytest.mark.parametrize("kind", RECALLS)
async def test_a_bad_recall_is_refused(stub: Any, space: str, kind: str) -> None:
    request, code = RECALLS[kind]
    request.memory_space_id = space
    assert (await refusal(stub.Recall(request, timeout=TIMEOUT_S))).code == code


@pytest.mark.parametrize(
    "settings",
    [{"dimension": 4097}, {"dimension": 2**31}, {"metric": "COSINE"}, {"embedder": "x" * 99}, {"memory_space_id": "A"}],
    ids=repr,
)
async def test_bad_settings_make_no_space(stub: Any, settings: dict[str, Any]) -> None:
    before = await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CreateSpace(
            pb.CreateSpaceRequest(**{"memory_space_id": "bad-settings", "dimension": 8, **settings}), timeout=TIMEOUT_S
        )
    assert caught.value.code() in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    after = await stub.ListSpaces(pb.ListSpacesRequest(), timeout=TIMEOUT_S)
    assert len(after.spaces) == len(before.spaces)


CALLS: dict[str, Callable[[Client], object]] = {
    "recall none": lambda client: client.recall(None),  # type: ignore[arg-type]
    "recall empty": lambda client: client.recall([]),
    "recall masked": lambda client: client.recall(np.ma.array(np.ones(DIM))),
    "k": lambda client: client.recall(np.ones(DIM), k=2.0),  # type: ignore[arg-type]
    "ef": lambda client: client.recall(np.ones(DIM), ef=True),
    "generation -1": lambda client: client.recall(np.ones(DIM), max_generation=-1),
    "future": lambda client: client.recall(np.ones(DIM), max_generation=99),
    "batch size": lambda client: list(client.recall_stream(np.ones(DIM), batch_size=1.0)),  # type: ignore[arg-type]
    "time": lambda client: client.recall(np.ones(DIM), snapshot_time=time.time_ns()),
    "forget": lambda client: client.delete("note-1"),
    "forget numbers": lambda client: client.delete([1]),  # type: ignore[list-item]
    "forget half": lambda client: client.delete(["\ud800"]),
    "dim": lambda client: client.create_space("odd", dim=8.0),  # type: ignore[arg-type]
    "dim 0": lambda client: client.create_space("odd", dim=0),
    "metric": lambda client: client.create_space("odd", dim=8, metric=b"ip"),  # type: ignore[arg-type]
    "ids": lambda client: client.submit("abc", np.ones((3, DIM))),
    "tags": lambda client: client.submit(["a"], np.ones((1, DIM)), tags=["urgent"]),
    "importances": lambda client: client.submit(["a"], np.ones((1, DIM)), importances=np.ones((1, 4))),
    "metadata": lambda client: client.submit(["a"], np.ones((1, DIM)), metadata=[NESTED]),
    "timestamps": lambda client: client.submit(["a"], np.ones((1, DIM)), timestamps=[time.time_ns()]),
}


@pytest.mark.parametrize("kind", CALLS)
async def test_a_client_refuses_as_the_library_does(server: ServerProcess, space: str, kind: str) -> None:
    def call() -> None:
        with Client(server.address, space=space) as client:
            with pytest.raises(InvalidInput):
                CALLS[kind](client)
            assert client.space_status().visible_generation == 0

    await asyncio.to_thread(call)


async def test_a_bad_row_of_a_client_leaves_its_neighbours_to_be_stored(server: ServerProcess, space: str) -> None:
    async with AsyncClient(server.address, space=space) as client:
        futures = [await client.submit("a", vectors_of(["a"])[0])]
        for wrong in ({"timestamp": time.time_ns()}, {"tags": "urgent"}, {"metadata": {"a": float("nan")}}):
            with pytest.raises(InvalidInput):
                await client.submit("bad", vectors_of(["bad"])[0], **wrong)
        # These pass the first look and are refused when the rows leave as a batch.
        late = [
            await client.submit("deep", vectors_of(["deep"])[0], metadata=NESTED),
            await client.submit("zero", np.zeros(DIM)),
            await client.submit("vague", vectors_of(["vague"])[0], confidence=1.5),
        ]
        futures.append(await client.submit("b", vectors_of(["b"])[0]))
        acks = await asyncio.wait_for(asyncio.gather(*futures), TIMEOUT_S)
        assert [ack.generation for ack in acks] == [1, 2]
        errors = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), TIMEOUT_S)
        assert [type(error) for error in errors] == [InvalidInput] * 3
        assert [hit.id for hit in await client.recall(Cue())] == ["b", "a"]
        with pytest.raises(InvalidInput):
            await client.flush()


async def test_a_server_that_was_sent_all_this_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for start in range(2):
        server = ServerProcess(data)
        async with connect(server.address) as stub:
            await stub.CreateSpace(pb.CreateSpaceRequest(memory_space_id="notes", dimension=DIM), timeout=TIMEOUT_S)
            for kind in BATCHES:
                request = pb.RememberRequest(memory_space_id="notes", batch=spoilt(kind)[0])
                await refusal(stub.Remember(request, timeout=TIMEOUT_S))
            good = pb.RememberRequest(memory_space_id="notes", batch=encode_batch(batch_of([f"good-{start}"])))
            await stub.Remember(good, timeout=TIMEOUT_S)
            assert len(await recall_ids(stub, "notes", "good-0")) == start + 1
        server.stop_soundly()


GOOD = {"id": "good", "embedding": [1.0] * DIM}
LINES: dict[str, str] = {
    "deep": json.dumps(GOOD)[:-1] + ', "metadata": ' + NESTED + "}",
    "deeper": json.dumps(GOOD)[:-1] + ', "metadata": ' + '{"a":' * 5000 + "}" * 5000 + "}",
    "nan": json.dumps({**GOOD, "metadata": {"a": float("nan")}}),
    "infinite": json.dumps(GOOD)[:-1] + ', "metadata": {"a": 1e999}}',
    "twice": json.dumps(GOOD)[:-1] + ', "metadata": {"a": 1, "a": 2}}',
    "two ids": json.dumps(GOOD)[:-1] + ', "id": "other"}',
    "huge": json.dumps(GOOD)[:-1] + ', "metadata": {"a": ' + "9" * 5000 + "}}",
    "large": json.dumps(GOOD)[:-1] + ', "confidence": ' + "9" * 400 + "}",
    "surrogate": json.dumps({**GOOD, "metadata": {"a": "\ud800"}}),
    "half an id": json.dumps({**GOOD, "id": "\ud800"}),
    "nanoseconds": json.dumps({**GOOD, "time": time.time_ns()}),
    "year 10000": json.dumps({**GOOD, "time": 253_402_300_800}),
    "tags": json.dumps({**GOOD, "tags": "urgent"}),
    "texts": json.dumps({**GOOD, "embedding": ["1"] * DIM}),
    "truths": json.dumps({**GOOD, "embedding": [True] * DIM}),
    "text": json.dumps({**GOOD, "embedding": "x" * DIM}),
}


async def test_lines_of_a_file_are_refused_by_number_and_the_others_stored(
    server: ServerProcess, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [json.dumps({**GOOD, "id": "first"}), *LINES.values(), json.dumps({**GOOD, "id": "last", "time": 1.5})]
    file.write_text("\n".join(lines))
    for target in (["--address", server.address], ["--data", str(tmp_path / "data"), "--create"]):
        arguments = ["ingest", str(file), "--space", space, "--on-error", "skip", "--json", *target]
        assert await asyncio.to_thread(run, arguments) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["stored"], told["refused"]) == (2, len(LINES))
        assert [error["row"] for error in told["errors"]] == list(range(2, len(LINES) + 2))


@pytest.mark.parametrize(
    ("columns", "bad"),
    [
        ({"times": np.array(["2025-01-01", "NaT", "2025-01-01"], "M8[ns]")}, 1),
        ({"times": np.array([1.5, 1.7e18, 2.5])}, 1),
        ({"times": np.array([2**62, 0, 2**62], "M8[Y]")}, 2),
        ({"confidences": np.array([0.5, np.nan, 0.5])}, 1),
        ({"confidences": np.array([0.5j, 0.5j, 0.5j])}, 3),
        ({"metadata": np.array(["", NESTED, '{"a":NaN}'])}, 2),
        ({"ids": np.array(["a", "\ud800", "c"])}, 1),
        ({"vectors": vectors_of(["a", "b", "c"]) + 1j}, 3),
        ({"vectors": np.zeros((3, DIM), "M8[s]")}, 3),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_arrays_of_a_file_are_refused_by_row(
    server: ServerProcess,
    space: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, Any],
    bad: int,
) -> None:
    file = tmp_path / "rows.npz"
    rows = {"ids": np.array(["a", "b", "c"]), "vectors": vectors_of(["a", "b", "c"]), **columns}
    np.savez(file, **rows)
    arguments = ["ingest", str(file), "--space", space, "--on-error", "skip", "--json", "--address", server.address]
    assert await asyncio.to_thread(run, arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["stored"], told["refused"]) == (3 - bad, bad)
