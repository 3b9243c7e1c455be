"""Whether an installed wheel's kernels are taken and compute what they should, where it was built.

Run outside of the source tree, as `cibuildwheel` does.
"""

from pathlib import Path

import hornbook
from hornbook import kernels
from hornbook.kernels import prebuilt

here = Path.cwd()
assert here not in Path(hornbook.__file__).parents, f"{hornbook.__file__} is no wheel's"
assert kernels.missing() is None, kernels.missing()
assert kernels.build() == prebuilt.paths()[0], (kernels.build(), prebuilt.paths())
print(kernels.build())
