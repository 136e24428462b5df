"""The GPU programs of SKA's tail, compiled for GPUs that need not be here."""

import re

import pytest
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lsbench.models.ops.ska_triton_tail_kernels import ska_statistics, ska_tail

TAIL = ska_tail.fn
USERS, TAPS = 2, 9
SIXTEEN = [["tt.divisibility", 16]]
LARGE = ("x", "weight", "y")


def compiled(program, *, arch=90, dtype="fp32", vectors="fp32", channels_last=False, **changes):
    """Return the code of a launch with 4 warps."""
    sizes = {"G": 16, "M": USERS, "K": 3, "UNROLL": USERS, "CHANNELS_LAST": channels_last, "WIDE": False}
    sizes |= {"ACC": tl.float64 if dtype == "fp64" else tl.float32, "BLOCK": 512, "EPSILON": 1e-5} | changes
    signature, constants, hints = {}, {}, {}
    for place, name in enumerate(program.arg_names):
        if name in sizes:
            signature[name], constants[place,] = "constexpr", sizes[name]
        elif name in ("height", "width", "length", "size_class"):
            signature[name] = "i64" if sizes["WIDE"] and name == "length" else "i32"
        elif name.endswith("_stride"):
            unit = 1 if channels_last else 3
            signature[name] = tuple("constexpr" if axis == unit else "i32" for axis in range(4))
            constants[place, unit] = 1
            hints |= {(place, axis): SIXTEEN for axis in range(4) if channels_last and axis != unit}
        else:
            sums = "fp64" if dtype == "fp64" else "fp32"
            of = dtype if name in LARGE else sums if name in ("mean", "scale") else vectors
            signature[name], hints[place,] = f"*{of}", SIXTEEN
    source = ASTSource(program, signature, constants, hints)
    return triton.compile(source, target=GPUTarget("cuda", arch, 32)).asm


@pytest.mark.parametrize("program", [ska_statistics, TAIL], ids=["statistics", "tail"])
@pytest.mark.parametrize(("arch", "dtype"), [(80, "fp32"), (90, "fp16"), (90, "bf16")])
def test_compiles_to_single_precision_sums(program, arch, dtype):
    code = compiled(program, arch=arch, dtype=dtype)
    assert code["cubin"].startswith(b"\x7fELF")
    assert f".target sm_{arch}" in code["ptx"]
    assert ".f64" not in code["ptx"]


@pytest.mark.parametrize("program", [ska_statistics, TAIL], ids=["statistics", "tail"])
def test_double_precision_stays_double(program):
    ptx = compiled(program, dtype="fp64", vectors="fp64")["ptx"]
    assert "fma.rn.f64" in ptx
    assert ".f32" not in ptx


def test_channels_of_a_pixel_are_loaded_four_at_once():
    ptx = compiled(TAIL, channels_last=True)["ptx"]
    assert len(re.findall(r"ld\.global\.v4", ptx)) >= USERS * TAPS


@pytest.mark.parametrize("program", [ska_statistics, TAIL], ids=["statistics", "tail"])
@pytest.mark.parametrize(
    "changes",
    [{"WIDE": True}, {"WIDE": True, "channels_last": True}, {"K": 1}, {"K": 5, "UNROLL": 1, "BLOCK": 128}],
    ids=str,
)
def test_every_form_compiles(program, changes):
    assert compiled(program, **changes)["cubin"]
