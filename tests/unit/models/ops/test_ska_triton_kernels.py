"""The GPU programs of SKA, compiled for GPUs that need not be here, and what the compiler made of them."""

import re

import pytest
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lsbench.models.ops.ska_triton_kernels import LAUNCHES, fitting_launches, ska_backward, ska_forward

FORWARD, BACKWARD = ska_forward.fn, ska_backward.fn
USERS, TAPS = 2, 9
SIXTEEN = [["tt.divisibility", 16]]


def compiled(program, *, arch=90, dtype="fp32", channels_last=False, block=128, tiny=False, **changes):
    """Return the code of a launch with 4 warps; `tiny`: of a single pixel, whose sizes Triton builds in."""
    options = {"enable_fp_fusion": False}
    sizes = {"G": 16, "M": USERS, "K": 3, "UNROLL": USERS, "CHANNELS_LAST": channels_last, "WIDE": False}
    sizes |= {"ACC": tl.float64 if dtype == "fp64" else tl.float32, "BLOCK": block} | changes
    signature, constants, hints = {}, {}, {}
    for place, name in enumerate(program.arg_names):
        if name in sizes:
            signature[name], constants[place,] = "constexpr", sizes[name]
        elif name in ("height", "width", "length") and tiny:
            signature[name], constants[place,] = "constexpr", 1
        elif name in ("height", "width", "length", "size_class"):
            signature[name] = "i64" if sizes["WIDE"] and name == "length" else "i32"
        elif name.endswith("_stride"):
            rank = 5 if "weight" in name else 4
            unit = rank - 1 if "weight" in name or not channels_last else 1
            signature[name] = tuple("constexpr" if axis == unit else "i32" for axis in range(rank))
            constants[place, unit] = 1
            hints |= {(place, axis): SIXTEEN for axis in range(rank) if channels_last and axis != unit}
        else:
            signature[name], hints[place,] = f"*{dtype}", SIXTEEN
    source = ASTSource(program, signature, constants, hints)
    return triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options).asm


@pytest.mark.parametrize("program", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_compiles_to_one_load_per_value_and_single_precision_sums(program, arch, dtype):
    code = compiled(program, arch=arch, dtype=dtype)
    assert code["cubin"].startswith(b"\x7fELF")
    assert f".target sm_{arch}" in code["ptx"]
    backward = program is BACKWARD
    per_user = 1 + 2 * TAPS if backward else TAPS
    stores = USERS + TAPS if backward else USERS
    assert len(re.findall(r"ld\.global", code["ptx"])) == TAPS + USERS * per_user
    assert len(re.findall(r"st\.global", code["ptx"])) == stores
    assert code["ptx"].count("fma.rn.f32") == USERS * TAPS * (2 if backward else 1)
    assert ".f64" not in code["ptx"]


@pytest.mark.parametrize("program", [FORWARD, BACKWARD], ids=["forward", "backward"])
def test_double_precision_stays_double(program):
    ptx = compiled(program, dtype="fp64")["ptx"]
    assert "fma.rn.f64" in ptx
    assert ".f32" not in ptx


@pytest.mark.parametrize("program", [FORWARD, BACKWARD], ids=["forward", "backward"])
def test_channels_of_a_pixel_are_loaded_four_at_once(program):
    """Whatever the plane, since 16 weight channels are."""
    ptx = compiled(program, channels_last=True, block=512)["ptx"]
    gathered = TAPS if program is FORWARD else 1 + 2 * TAPS
    assert len(re.findall(r"ld\.global\.v4", ptx)) == USERS * gathered


@pytest.mark.parametrize("program", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize(
    "changes",
    [
        {"tiny": True, "G": 1},
        {"WIDE": True},
        {"WIDE": True, "channels_last": True},
        {"K": 1},
        {"K": 5, "UNROLL": 1},
        {"M": 20, "UNROLL": 1},
    ],
    ids=str,
)
def test_every_form_compiles(program, changes):
    assert compiled(program, **changes)["cubin"]


@pytest.mark.parametrize("most_values", [36, 72])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("size_class", [2, 7, 8, 13])
def test_few_launches_are_tried_and_keep_the_weights_in_registers(most_values, kernel, size_class):
    offered = fitting_launches(most_values)["early_config_prune"]
    launches = offered(LAUNCHES, {}, K=kernel, size_class=size_class)
    assert len(launches) == 1 if size_class < 7 else 2 <= len(launches) <= 3
    per_thread = [launch.kwargs["BLOCK"] // (32 * launch.num_warps) for launch in launches]
    assert max(per_thread) * kernel**2 <= max(most_values, kernel**2)
    first = launches[0].kwargs["BLOCK"]
    assert first == 128 if size_class < 8 else first > 128


def test_shapes_of_one_class_share_their_launches():
    """However large the batch: each launch more is a compilation more."""
    offered = fitting_launches(72)["early_config_prune"]
    tried = {launch for size in range(2, 16) for launch in offered(LAUNCHES, {}, K=3, size_class=size)}
    assert len(tried) <= 5
