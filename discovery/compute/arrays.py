"""Arrays that were read from a file, checked against what they have to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np


class ArrayError(ValueError):
    """An array is missing, unknown, or not what it has to be."""


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What an array has to be.

    Attributes:
        dtype: name of its type, such as "float32".
        shape: name of the size of each axis.
    """

    dtype: str
    shape: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Self:
        """Return a specification from text: the type, then the sizes.

        >>> ArraySpec.of("float32 rows columns")
        ArraySpec(dtype='float32', shape=('rows', 'columns'))
        """
        dtype, *shape = text.split()
        return cls(dtype, tuple(shape))


def check_arrays(
    arrays: Mapping[str, np.ndarray], specs: Mapping[str, ArraySpec], sizes: Mapping[str, int]
) -> None:
    """Check that there are exactly the specified arrays, and that all their numbers are finite.

    Args:
        arrays: the arrays, by name.
        specs: the specification of each array, by name.
        sizes: known sizes, by name. Any other size follows from the first array that has it.

    Raises:
        ArrayError: if they are not as specified.
    """
    for name in sorted(arrays.keys() - specs.keys()):
        raise ArrayError(f"the array {name!r} is unknown")
    known = dict(sizes)
    for name, spec in specs.items():
        array = arrays.get(name)
        if array is None:
            raise ArrayError(f"the array {name!r} is missing")
        if array.dtype != np.dtype(spec.dtype):
            raise ArrayError(f"{name} is {array.dtype}, but must be {spec.dtype}")
        if array.ndim == len(spec.shape):
            for axis, size in zip(spec.shape, array.shape, strict=True):
                known.setdefault(axis, size)
        expected = tuple(known.get(axis, axis) for axis in spec.shape)
        if array.shape != expected:
            raise ArrayError(
                f"{name} has the shape {list(array.shape)}, but must have "
                f"[{', '.join(map(str, expected))}]"
            )
        if not np.isfinite(array).all():
            raise ArrayError(f"{name} holds NaN or infinity")


def check_range(name: str, array: np.ndarray, low: float, high: float) -> None:
    """Check that all numbers lie between two others.

    Raises:
        ArrayError: if one lies outside.
    """
    if array.size and not (low <= array.min() and array.max() <= high):
        raise ArrayError(
            f"{name} holds {array.min()} to {array.max()}, but must hold {low} to {high}"
        )


def check_length(name: str, array: np.ndarray, most: int) -> None:
    """Check that the last axis of an array has at least one number, and not more than allowed.

    Raises:
        ArrayError: if it has none, or too many.
    """
    length = array.shape[-1]
    if not 0 < length <= most:
        raise ArrayError(f"{name} has {length} numbers, but must have 1 to {most}")


def below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names start with a prefix, under names without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
