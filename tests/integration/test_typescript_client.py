"""The client in TypeScript: its own tests, its style and types, its package, and its tests against a real server."""

from __future__ import annotations

import pytest

from tests.integration.node_package import run_script

PACKAGE = "clients/typescript"


@pytest.mark.parametrize("script", ["lint", "types", "package", "test", "test:server"])
def test_the_client_passes(script: str) -> None:
    run_script(PACKAGE, script)
