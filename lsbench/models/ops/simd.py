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
#: Numbers of a row that are read or written together when columns are.
FOUR = 4


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
def widens(_, array):
    """Return whether `array` holds bfloat16, which is widened when loaded; a constant when compiled."""
    is_bfloat16 = array.dtype == types.uint16

    def build(context, _builder, signature, _arguments):
        return context.get_constant(signature.return_type, is_bfloat16)

    return types.boolean(array), build


@intrinsic
def pointer(_, address, like):
    """Return `address` as a pointer to numbers of the dtype of `like`, which may stand for an array.

    To ask a tensor for its address takes a tenth of the time that its view as an array takes.
    """

    def build(context, builder, signature, arguments):
        kind = context.get_value_type(signature.return_type)
        return builder.inttoptr(arguments[0], kind)

    return types.CPointer(like.dtype)(address, like), build


@intrinsic
def load(_, array, index):
    """Return the numbers of `array` from `index` on; bounds are not checked."""

    def build(context, builder, signature, arguments):
        pointer, _ = _place(context, builder, signature.args[0], arguments)
        value = builder.load(pointer, align=_bytes(signature.args[0]))
        return _widened(builder, value, _llvm(context, signature.return_type))

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
        return _spread(builder, scalar, _llvm(context, vector))

    return vector(array, value), build


@intrinsic
def multiply_add(_, a, b, c):
    """Return ``a * b + c``, rounded once if the machine can."""

    def build(_context, builder, _signature, arguments):
        return _multiply_add(builder, *arguments)

    return a(a, b, c), build


@intrinsic
def scaled(_, vector, scale, shift):
    """Return ``vector * scale + shift`` for two numbers, computed in float64 and rounded once at the end."""

    def build(context, builder, signature, arguments):
        return builder.fptrunc(_scaled(builder, *arguments), _llvm(context, signature.return_type))

    return vector(vector, types.float64, types.float64), build


@intrinsic
def scaled_plus(_, vector, scale, shift, other):
    """Return ``vector * scale + shift + other`` for two numbers, as :func:`scaled` computes."""

    def build(context, builder, signature, arguments):
        total = _scaled(builder, *arguments[:3])
        total = builder.fadd(total, builder.fpext(arguments[3], total.type))
        return builder.fptrunc(total, _llvm(context, signature.return_type))

    return vector(vector, types.float64, types.float64, other), build


@intrinsic
def kept(_, vector, mask, index):
    """Return the numbers of `vector` for which `mask` is positive from `index` on, and 0 for the others."""

    def build(context, builder, signature, arguments):
        pointer, _ = _place(context, builder, signature.args[1], arguments[1:])
        positive = builder.load(pointer, align=_bytes(signature.args[1]))
        zero = ir.Constant(positive.type, None)
        return builder.select(
            builder.fcmp_ordered(">", positive, zero), arguments[0], ir.Constant(arguments[0].type, None)
        )

    return vector(vector, mask, index), build


@intrinsic
def load_columns(_, array, index, pitch):
    """Return the columns of a matrix of four: number t of the result holds ``array[index + r*pitch + t]``.

    For all lanes r. Four numbers of each row are read at a time; bounds are not checked.
    """

    def build(context, builder, signature, arguments):
        source, kind = signature.args[0], _llvm(context, signature.return_type.dtype)
        rows = [
            builder.load(pointer, align=_bytes(source))
            for pointer in _rows(context, builder, source, arguments)
        ]
        rows = [_joined(builder, rows[first::FOUR]) for first in range(FOUR)]
        columns = [_widened(builder, column, kind) for column in _transposed(builder, rows)]
        return context.make_tuple(builder, signature.return_type, columns)

    return types.UniTuple(_vector_of(array), FOUR)(array, index, pitch), build


@intrinsic
def store_columns(_, array, index, pitch, columns):
    """Write four vectors as the columns of a matrix: the opposite of :func:`load_columns`."""

    def build(context, builder, signature, arguments):
        target = signature.args[0]
        columns = cgutils.unpack_tuple(builder, arguments[3], FOUR)
        if target.dtype == types.uint16:
            stored = ir.VectorType(ir.IntType(16), columns[0].type.count)
            columns = [_rounded(builder, column, stored) for column in columns]
        rows = _transposed(builder, columns)
        for r, pointer in enumerate(_rows(context, builder, target, arguments)):
            block = [r // FOUR * FOUR + t for t in range(FOUR)]
            row = rows[r % FOUR]
            builder.store(builder.shuffle_vector(row, row, _indices(block)), pointer, align=_bytes(target))
        return context.get_dummy_value()

    return types.void(array, index, pitch, columns), build


def _multiply_add(builder, *vectors):
    kind = vectors[0].type
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind] * 3),
        f"llvm.fmuladd.v{kind.count}f{32 if kind.element == ir.FloatType() else 64}",
    )
    return builder.call(function, vectors)


def _scaled(builder, vector, scale, shift):
    """Return ``vector * scale + shift`` as a vector of float64."""
    kind = ir.VectorType(ir.DoubleType(), vector.type.count)
    numbers = (_spread(builder, number, kind) for number in (scale, shift))
    return _multiply_add(builder, builder.fpext(vector, kind), *numbers)


def _spread(builder, number, kind):
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, _filled(ir.VectorType(ir.IntType(32), kind.count), 0))


def _rows(context, builder, array, arguments):
    """Return pointers to the first four numbers of as many rows as a vector has lanes."""
    four = ir.VectorType(context.get_data_type(array.dtype), FOUR).as_pointer()
    data = _data(context, builder, array, arguments[0])
    index, pointers = arguments[1], []
    for _ in range(_vector_of(array).lanes):
        pointers.append(builder.bitcast(builder.gep(data, [index]), four))
        index = builder.add(index, arguments[2])
    return pointers


def _joined(builder, parts):
    """Return one or two vectors of four as one."""
    if len(parts) == 1:
        return parts[0]
    return builder.shuffle_vector(*parts, _indices(range(2 * FOUR)))


def _transposed(builder, rows):
    """Transpose the four by four matrices that lie side by side in four vectors."""
    count = rows[0].type.count

    def pick(a, b, *order):
        """In each block of four, take numbers 0 to 3 from `a` and 4 to 7 from `b`."""
        places = [
            block + i % FOUR + (count if i >= FOUR else 0) for block in range(0, count, FOUR) for i in order
        ]
        return builder.shuffle_vector(a, b, _indices(places))

    low, high = (0, 4, 1, 5), (2, 6, 3, 7)
    left, right = (0, 1, 4, 5), (2, 3, 6, 7)
    ab, cd = (rows[0], rows[1]), (rows[2], rows[3])
    firsts, seconds = (pick(*ab, *low), pick(*cd, *low)), (pick(*ab, *high), pick(*cd, *high))
    return [pick(*half, *order) for half in (firsts, seconds) for order in (left, right)]


def _indices(places):
    places = list(places)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)


def _place(context, builder, array, arguments):
    """Return the pointer to the vector that starts at the index, and the vector's stored type."""
    data = _data(context, builder, array, arguments[0])
    stored = ir.VectorType(context.get_data_type(array.dtype), _vector_of(array).lanes)
    return builder.bitcast(builder.gep(data, [arguments[1]]), stored.as_pointer()), stored


def _data(context, builder, array, value):
    if isinstance(array, types.CPointer):
        return value
    return context.make_array(array)(context, builder, value).data


def _widened(builder, value, kind):
    """Return what was stored as a vector of type `kind`: bfloat16 becomes float32."""
    if value.type == kind:
        return value
    bits = builder.zext(value, ir.VectorType(ir.IntType(32), value.type.count))
    return builder.bitcast(builder.shl(bits, _filled(bits.type, 16)), kind)


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
