"""The kernels, loaded: every function with its types, and refused where they do not fit.

Addresses come from `pointers` alone. Calls raise MemoryError where there is none left.
"""

import ctypes
import sys

import numpy as np

from hornbook.core import threads as cores
from hornbook.kernels import openmp, pointers, structures

_TYPES = {
    "hornbook_product": (
        ctypes.POINTER(structures.MatrixStruct), ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
    ),
    "hornbook_pass": (ctypes.POINTER(structures.DecoderStruct), ctypes.POINTER(structures.Pass)),
    "hornbook_delta": (ctypes.POINTER(structures.Delta), ctypes.POINTER(structures.DeltaPieces)),
    "hornbook_attend": (ctypes.POINTER(structures.Attend), ctypes.c_int),
    "hornbook_cross_entropy": (ctypes.POINTER(structures.CrossEntropy),),
    "hornbook_norm": (ctypes.POINTER(structures.Norm), ctypes.c_int),
    "hornbook_gate": (ctypes.POINTER(structures.Gated), ctypes.c_int),
    "hornbook_muon": (ctypes.POINTER(structures.MuonStruct),),
    "hornbook_scan": (ctypes.POINTER(structures.ScanStruct), ctypes.c_int),
    "hornbook_rule": (ctypes.POINTER(structures.RuleStruct), ctypes.c_int),
    "hornbook_convolve": (ctypes.POINTER(structures.ConvolutionStruct), ctypes.c_int),
    "hornbook_gated_norm": (ctypes.POINTER(structures.GatedNormStruct), ctypes.c_int),
}  # fmt: skip
"""What each takes after the number of threads; all return a `Status`."""
_DONE = 0


class Library:
    """The kernels of a library that was loaded.

    Raises OSError where it was built for other structures than ours.
    """

    def __init__(self, loaded: ctypes.CDLL) -> None:
        try:
            _require_layout(loaded)
            loaded.hornbook_threads.argtypes = (ctypes.c_void_p,)
            loaded.hornbook_threads.restype = None
            loaded.hornbook_threads(openmp.entry())
            for name, types in _TYPES.items():
                function = getattr(loaded, name)
                function.argtypes, function.restype = (ctypes.c_int, *types), ctypes.c_int
        except AttributeError as error:
            raise OSError(f"they lack a function: {error}") from None
        self._product, self._pass = loaded.hornbook_product, loaded.hornbook_pass
        self._delta = loaded.hornbook_delta
        self._attend, self._cross_entropy = loaded.hornbook_attend, loaded.hornbook_cross_entropy
        self._norm, self._gate = loaded.hornbook_norm, loaded.hornbook_gate
        self._muon = loaded.hornbook_muon
        self._scan, self._rule = loaded.hornbook_scan, loaded.hornbook_rule
        self._convolve, self._gated_norm = loaded.hornbook_convolve, loaded.hornbook_gated_norm

    def product(
        self, matrix: structures.MatrixStruct, x: np.ndarray, threads: int | None = None
    ) -> np.ndarray:
        """x (rows, inputs) float32 times the matrix, plus its bias: (rows, outputs) float32.

        threads: None for as many as compute best.
        """
        found = np.empty((len(x), matrix.outputs), np.float32)
        addresses = pointers.product(matrix, x, found)
        _require_done(
            self._product(threads or _threads(), ctypes.byref(matrix), *addresses, len(x))
        )
        return found

    def run(
        self, decoder: structures.DecoderStruct, rows: structures.Pass, threads: int | None = None
    ) -> None:
        """Take rows through a decoder. threads: as above."""
        _require_done(self._pass(threads or _threads(), ctypes.byref(decoder), ctypes.byref(rows)))

    def delta(
        self, rule: structures.Delta, rows: structures.DeltaPieces, threads: int | None = None
    ) -> None:
        """Take rows of tokens through a layer of the gated delta rule. threads: as above."""
        _require_done(self._delta(threads or _threads(), ctypes.byref(rule), ctypes.byref(rows)))

    def attend(self, call: structures.Attend, back: bool, threads: int | None = None) -> None:
        """Let queries look at keys, or find the gradients of that. threads: as above."""
        _require_done(self._attend(threads or _threads(), ctypes.byref(call), back))

    def cross_entropy(self, call: structures.CrossEntropy, threads: int | None = None) -> None:
        """Find losses of rows of logits, and their gradients. threads: as above."""
        _require_done(self._cross_entropy(threads or _threads(), ctypes.byref(call)))

    def norm(self, call: structures.Norm, back: bool, threads: int | None = None) -> None:
        """Norm and turn heads of tokens, or find the gradients of that. threads: as above."""
        _require_done(self._norm(threads or _threads(), ctypes.byref(call), back))

    def gate(self, call: structures.Gated, back: bool, threads: int | None = None) -> None:
        """Let a gate scale channels, or find the gradients of that. threads: as above."""
        _require_done(self._gate(threads or _threads(), ctypes.byref(call), back))

    def muon(self, call: structures.MuonStruct, threads: int | None = None) -> None:
        """Move matrices by a step of Muon. threads: as above."""
        _require_done(self._muon(threads or _threads(), ctypes.byref(call)))

    def scan(self, call: structures.ScanStruct, back: bool, threads: int | None = None) -> None:
        """Take sequences through Mamba-2's recurrence, or find its gradients. threads: as above."""
        _require_done(self._scan(threads or _threads(), ctypes.byref(call), back))

    def rule(self, call: structures.RuleStruct, back: bool, threads: int | None = None) -> None:
        """Take sequences through the gated delta rule, or find its gradients. threads: as above."""
        _require_done(self._rule(threads or _threads(), ctypes.byref(call), back))

    def convolve(
        self, call: structures.ConvolutionStruct, back: bool, threads: int | None = None
    ) -> None:
        """Convolve single channels, or find the gradients of that. threads: as above."""
        _require_done(self._convolve(threads or _threads(), ctypes.byref(call), back))

    def gated_norm(
        self, call: structures.GatedNormStruct, back: bool, threads: int | None = None
    ) -> None:
        """Norm and gate groups of channels, or find the gradients of that. threads: as above."""
        _require_done(self._gated_norm(threads or _threads(), ctypes.byref(call), back))


def _require_layout(loaded: ctypes.CDLL) -> None:
    for name, ours in (
        ("hornbook_layout", structures.layout()),
        ("hornbook_forms", structures.forms()),
    ):
        function = getattr(loaded, name)
        function.argtypes, function.restype = (), ctypes.POINTER(ctypes.c_int32)
        told = function()
        if any(told[at] != number for at, number in enumerate((*ours, -1))):  # up to the first
            raise OSError("they were built for other structures")


def _threads() -> int:
    """Where torch is loaded, as many as it was told to take: they are its threads."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else cores.threads()


def _require_done(status: int) -> None:
    if status != _DONE:
        raise MemoryError("no memory for what the kernels compute")
