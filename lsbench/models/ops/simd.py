"""Vectors of 256 bits for loops that numba compiles: load, multiply-add, store.

LLVM vectorises a loop by itself only if it can prove that writes overlap no reads, which it cannot for
several rows of one array. Here the loop states it. A vector is 8 float32 or 4 float64; LLVM splits or joins
them for the machine. An array of uint16 holds bfloat16: it is widened to float32 when loaded and rounded to
nearest even when stored.

    @njit
    def scaled(x, factor, y):                   # len(x) is a multiple of the lanes
        for i in range(0, len(x), lanes(x)):
            store(y, i, multiply_add(load(x, i), splat(x, factor), splat(x, 0)))
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

BITS = 256


class VectorType(types.Type):
    """A vector of numbers in computation, float32 or float64."""

    def __init__(self, scalar: types.Float) -> None:
        self.scalar = scalar
        self.lanes = BITS // scalar.bitwidth
        super().__init__(name=f"vector{self.lanes}x{scalar}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: VectorType) -> None:
        scalar = ir.DoubleType() if vector.scalar == types.float64 else ir.FloatType()
        super().__init__(manager, vector, ir.VectorType(scalar, vector.lanes))


def _vector_of(array: types.Array) -> VectorType:
    """Return the vector type for computing with the numbers of an array."""
    return VectorType(types.float64 if array.dtype == types.float64 else types.float32)


@intrinsic
def lanes(_, array):
    """Return the count of `array`'s numbers in one vector."""
    count = _vector_of(array).lanes

    def build(context, _builder, signature, _arguments):
        return context.get_constant(signature.return_type, count)

    return types.uint64(array), build


@intrinsic
def load(_, array, index):
    """Return the numbers of `array` from `index` on; bounds are not checked."""

    def build(context, builder, signature, arguments):
        pointer, stored = _place(context, builder, signature.args[0], arguments)
        value = builder.load(pointer, align=_bytes(signature.args[0]))
        if signature.args[0].dtype != types.uint16:
            return value
        bits = builder.zext(value, ir.VectorType(ir.IntType(32), stored.count))
        return builder.bitcast(
            builder.shl(bits, _filled(bits.type, 16)), _llvm(context, signature.return_type)
        )

    return _vector_of(array)(array, index), build


@intrinsic
def store(_, array, index, vector):
    """Write `vector` into `array` from `index` on; bounds are not checked."""

    def build(context, builder, signature, arguments):
        pointer, stored = _place(context, builder, signature.args[0], arguments)
        value = arguments[2]
        if signature.args[0].dtype == types.uint16:
            value = _rounded(builder, value, stored)
        builder.store(value, pointer, align=_bytes(signature.args[0]))
        return context.get_dummy_value()

    return types.void(array, index, vector), build


@intrinsic
def splat(_, array, value):
    """Return a vector that holds `value` in every lane, of the type that `array` is computed with."""
    vector = _vector_of(array)

    def build(context, builder, signature, arguments):
        scalar = context.cast(builder, arguments[1], signature.args[1], vector.scalar)
        undefined = ir.Constant(_llvm(context, vector), ir.Undefined)
        first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(
            first, undefined, _filled(ir.VectorType(ir.IntType(32), vector.lanes), 0)
        )

    return vector(array, value), build


@intrinsic
def multiply_add(_, a, b, c):
    """Return ``a * b + c``, rounded once if the machine can."""

    def build(_context, builder, _signature, arguments):
        kind = arguments[0].type
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind, [kind] * 3),
            f"llvm.fmuladd.v{kind.count}f{32 if kind.element == ir.FloatType() else 64}",
        )
        return builder.call(function, arguments)

    return a(a, b, c), build


def _place(context, builder, array, arguments):
    """Return the pointer to the vector that starts at the index, and the vector's stored type."""
    data = context.make_array(array)(context, builder, arguments[0]).data
    stored = ir.VectorType(context.get_data_type(array.dtype), _vector_of(array).lanes)
    return builder.bitcast(builder.gep(data, [arguments[1]]), stored.as_pointer()), stored


def _rounded(builder, value, stored):
    """Return float32 as bfloat16: round to nearest even; NaN stays NaN."""
    kind = ir.VectorType(ir.IntType(32), stored.count)
    bits = builder.bitcast(value, kind)
    odd = builder.and_(builder.lshr(bits, _filled(kind, 16)), _filled(kind, 1))
    rounded = builder.lshr(builder.add(bits, builder.add(odd, _filled(kind, 0x7FFF))), _filled(kind, 16))
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.trunc(builder.select(is_nan, _filled(kind, 0x7FC0), rounded), stored)


def _filled(kind, number):
    return ir.Constant(kind, [ir.Constant(kind.element, number)] * kind.count)


def _bytes(array):
    return array.dtype.bitwidth // 8


def _llvm(context, numba_type):
    return context.get_value_type(numba_type)
