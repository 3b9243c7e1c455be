"""Makes a folder in which Hornbook's kernels run on an emulated ARM processor, for `make test-arm`.

`python scripts/arm.py FOLDER` (a few minutes, half a gigabyte; Debian or Ubuntu on x86): Python for
ARM from Debian's packages, unpacked and not installed, the libraries from PyPI's wheels for ARM,
and FOLDER/python, which starts it under `qemu-aarch64`. torch is taken in a version that has a
wheel for ARM without a GPU's libraries: tests compare with it.
"""

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

_PYTHON = "python3.11"
_PACKAGES = f"""
    {_PYTHON} {_PYTHON}-minimal lib{_PYTHON}-minimal lib{_PYTHON}-stdlib libc6 libgcc-s1 libstdc++6
    zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5 libssl3 libsqlite3-0 libuuid1 libcrypt1
    libncursesw6 libtinfo6 libreadline8"""
_LIBRARIES = """
    numpy pydantic pydantic_core annotated-types typing-inspection typing_extensions typer rich
    click shellingham annotated-doc markdown-it-py mdurl Pygments tokenizers gguf tqdm PyYAML Jinja2
    MarkupSafe safetensors threadpoolctl pytest pluggy iniconfig packaging hypothesis
    sortedcontainers filelock fsspec networkx sympy mpmath"""
"""What a command imports that generates, and the tests of the kernels."""
_TORCH = "2.10.0"
_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
# What it starts is what Python takes for its own program, so that it can start others like itself.
_START = """#!/bin/sh
here={folder}
export PYTHONPATH="$PYTHONPATH:$here/site"
exec qemu-aarch64 -0 "$here/python" -L "$here/root" "$here/root/usr/bin/{python}" "$@"
"""


def main(folder: Path) -> None:
    """Fill the folder, which may be there already."""
    folder = folder.absolute()
    _unpack_debian(folder)
    _unpack_wheels(folder)
    start = folder / "python"
    start.write_text(_START.format(folder=folder, python=_PYTHON), encoding="utf-8")
    start.chmod(0o755)
    _run([str(start), "-c", "import platform, numpy, torch; print(platform.machine())"])


def _unpack_debian(folder: Path) -> None:
    """The packages in folder/root, by an apt that has lists of its own."""
    apt, debs = folder / "apt", folder / "debs"
    for place in (apt / "state/lists/partial", apt / "cache/archives/partial", debs):
        place.mkdir(parents=True, exist_ok=True)
    own = {
        "Dir::State": apt / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
    }
    options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "-qq", "update"])
    _run(["apt-get", *options, "-qq", "download", *_PACKAGES.split()], debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(folder / "root")])


def _unpack_wheels(folder: Path) -> None:
    """The libraries in folder/site, in the versions that are installed here."""
    wheels = folder / "wheels"
    names = [f"{name}=={importlib.metadata.version(name)}" for name in _LIBRARIES.split()]
    platforms = [f"--platform={each}_aarch64" for each in _PLATFORMS] + ["--platform=any"]
    options = ["--no-deps", "--only-binary=:all:", "--quiet", f"--dest={wheels}"]
    version = "--python-version=" + _PYTHON.removeprefix("python")
    command = [sys.executable, "-m", "pip", "download", *options, version, *platforms]
    _run([*command, *names, f"torch=={_TORCH}"])
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")


def _run(command: list[str], folder: Path | None = None) -> None:
    print(re.sub(r"\s+", " ", " ".join(command))[:100], flush=True)
    subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
