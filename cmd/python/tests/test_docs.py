"""docs/python.md and docs/tutorial.ipynb do what they say."""

from __future__ import annotations

import doctest
import os
import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager

import rhx

#: The folder of the documents.
DOCS = Path(os.environ["RHX_TEST_DOCS"])


@pytest.fixture
def laptop(aws: Path, box: Path, home: Path) -> Path:
    """What the documents find on the machine; returns the home folder of the host gpu-01."""
    aws.write_text(
        "[default]\naws_access_key_id = ABCD_KEY\naws_secret_access_key = 1234_KEY\n"
        "[prod]\naws_access_key_id = EFGH_KEY\naws_secret_access_key = 5678_KEY\n"
    )
    return box


def test_the_guide(laptop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai_key")
    text = (DOCS / "python.md").read_text()
    blocks = re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "python.md", None, 0)
    assert len(test.examples) > 30
    said: list[str] = []
    done = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert done.failed == 0, "".join(said)
    assert caplog.messages[0].startswith("A key was made: ")


def test_the_guide_names_all() -> None:
    text = (DOCS / "python.md").read_text()
    for name in rhx.__all__:
        if name not in ("Placed", "Secret", "Value", "Values"):  # which nobody writes
            assert re.search(rf"\b{name}\b", text), name


def test_the_tutorial(laptop: Path, home: Path) -> None:
    path = DOCS / "tutorial.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    printed = [_outputs(cell) for cell in notebook.cells]
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc")
    nbclient.NotebookClient(notebook, km=manager, timeout=60, record_timing=False).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # What is said on stderr names folders that are new each time.
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            cell.execution_count = None
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
    if "RHX_TEST_UPDATE" in os.environ:
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    else:
        assert [_outputs(cell) for cell in notebook.cells] == printed, "RHX_TEST_UPDATE=1 writes it anew"


def _outputs(cell: Any) -> list[Any]:
    return [(o.output_type, o.get("text"), o.get("data")) for o in cell.get("outputs", [])]
