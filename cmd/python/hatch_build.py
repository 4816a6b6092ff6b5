"""Puts the program rhx into the wheel, as .ci/release/wheels.sh asks for it.

RHX_PLATFORM is GOOS_GOARCH; RHX_BIN is the folder with that platform's rhx and rhx-full.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: The tags of what runs the programs. They are static on Linux, so any C library does;
#: Go 1.26 needs Linux 3.2 and macOS 12.
TAGS = {
    "linux_amd64": "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    "linux_arm64": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "darwin_amd64": "macosx_12_0_x86_64",
    "darwin_arm64": "macosx_12_0_arm64",
    "windows_amd64": "win_amd64",
    "windows_arm64": "win_arm64",
}

#: The names by which clients look for rhx.
CLIENTS = ["git-credential-rhx", "docker-credential-rhx", "terraform-credentials-rhx"]


class Programs(BuildHookInterface[Any]):
    """The programs are scripts of the wheel, which installers put beside Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say what belongs into the wheel, and where it can be installed."""
        platform, folder = os.environ["RHX_PLATFORM"], os.environ["RHX_BIN"]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS[platform]}"
        exe = ".exe" if platform.startswith("windows") else ""
        # A wheel has no links, and the programs are large: where a shell is sure to be,
        # a script starts rhx by the client's name.
        client = os.path.join(folder, "rhx.exe") if exe else os.path.join(self.root, "client.sh")
        sources = {name: os.path.join(folder, name + exe) for name in ("rhx", "rhx-full")}
        sources.update({name: client for name in CLIENTS})
        self.stage = tempfile.mkdtemp()  # with the executable bit, wherever the programs come from
        for name, source in sources.items():
            staged = os.path.join(self.stage, name + exe)
            shutil.copyfile(source, staged)
            os.chmod(staged, 0o755)
            build_data["shared_scripts"][staged] = name + exe

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was only for the build."""
        shutil.rmtree(self.stage)
