"""A fixture of tests of the kernels: those for this processor, and of each level that it runs."""

import pytest

from hornbook import kernels as native
from hornbook.core.machine import cpu_flags
from hornbook.kernels import recipe
from tests.tiny import need_kernels, slow

LEVELS = {level.name: level for level in recipe.levels()}


@pytest.fixture(scope="module", params=["native", *slow(*LEVELS)])
def each_level(request):
    """Kernels for this processor and for several, as far as it can run them; they are kept."""
    level = LEVELS.get(request.param)
    if level and level not in recipe.fitting(cpu_flags()):
        pytest.skip("this processor cannot run them")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "NATIVE", level.options if level else recipe.NATIVE)
        native._found.cache_clear()
        need_kernels()
        yield
    native._found.cache_clear()
