"""Puts the kernels into wheels, built for several processors; all else stands in pyproject.toml.

Where there is no compiler, or none of our kinds of processor, the wheel goes without them.
"""

import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
import prebuild


class WithKernels(Distribution):
    """What is built belongs to a kind of machine where kernels are in it."""

    def has_ext_modules(self):
        return prebuild.levels() != ()


class Build(build_py):
    """An editable installation goes without: it takes the kernels from the sources as they are."""

    def run(self):
        super().run()
        if self.distribution.has_ext_modules() and not self.editable_mode:
            prebuild.build(Path(self.build_lib) / "hornbook" / "kernels" / "prebuilt")


class Wheel(bdist_wheel):
    """The kernels are called through `ctypes`, so that one wheel is for every Python."""

    def get_tag(self):
        python, abi, platform = super().get_tag()
        return (python, abi, platform) if self.root_is_pure else ("py3", "none", platform)


setup(distclass=WithKernels, cmdclass={"build_py": Build, "bdist_wheel": Wheel})
