"""The client in TypeScript: its own tests, style and types, its package, and programs that use it in each runtime."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.doubles.places import ROOT
from tests.integration.node_package import building_alone, run_script

PACKAGE = "clients/typescript"
RUNTIMES = ("Node 20", "Node 22", "Node 24", "deno", "bun")


@pytest.mark.parametrize("script", ["lint", "types", "test"])
def test_the_client_passes(script: str) -> None:
    run_script(PACKAGE, script)


def test_the_package_is_sound() -> None:
    with building_alone(PACKAGE):
        run_script(PACKAGE, "package")


def test_the_package_is_no_larger_than_it_may_be(record_property: Callable[[str, object], None]) -> None:
    with building_alone(PACKAGE):
        record_property(f"size of {PACKAGE}", run_script(PACKAGE, "size").strip())


@pytest.fixture(scope="module")
def consumers() -> dict[str, str]:
    """What became of the program of `clients/typescript/consumers`, by the name of the runtime."""
    if not (ROOT / PACKAGE / "consumers" / "node_modules" / "typescript").is_dir():
        pytest.skip("the runtimes in which the client is tried are not installed: make extras")
    with building_alone(PACKAGE):
        lines = run_script(PACKAGE, "consumers").splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_program_runs_in_every_runtime(runtime: str, consumers: dict[str, str]) -> None:
    if consumers[runtime].startswith("left out"):
        pytest.skip(f"{runtime} is not installed: make extras, where the npm registry has it for this machine")
    assert consumers[runtime] == "passed"
