"""Homogeneous 3x3 matrices of the plane, of one picture or of a whole batch.

They map output to view, in coordinates centred on the image in units of half its longer side. Arguments are numbers, or
arrays of one shape.
"""

import numpy as np
import numpy.typing as npt

Matrices = npt.NDArray[np.float64]  # (..., 3, 3)


def affine(
    rotate: npt.ArrayLike = 0.0, shear_x: npt.ArrayLike = 0.0, shear_y: npt.ArrayLike = 0.0, zoom: npt.ArrayLike = 1.0
) -> Matrices:
    """The linear part: degrees counter-clockwise, horizontal and vertical shear as slopes, zoom above 1 enlarges."""
    angle = np.radians(rotate)
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    turn = matrix_of([[cos, -sin, zero], [sin, cos, zero], [zero, zero, zero + 1]])
    return turn @ matrix_of([[1.0, shear_x, 0.0], [shear_y, 1.0, 0.0], [0.0, 0.0, zoom]])


def shift(x: npt.ArrayLike, y: npt.ArrayLike) -> Matrices:
    """Moves the picture right and down, in units of half its longer side."""
    return matrix_of([[1.0, 0.0, -np.asarray(x)], [0.0, 1.0, -np.asarray(y)], [0.0, 0.0, 1.0]])


def tilt(x: npt.ArrayLike, y: npt.ArrayLike) -> Matrices:
    """Turns the picture out of its plane; |x| + |y| is held below 0.6, so that no horizon comes into sight."""
    limit = np.maximum(1.0, (np.abs(x) + np.abs(y)) / 0.6)
    return matrix_of([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [np.asarray(x) / limit, np.asarray(y) / limit, 1.0]])


def matrix_of(rows: list[list[npt.ArrayLike]]) -> Matrices:
    """(..., 3, 3) of numbers and arrays of one shape."""
    cells = np.broadcast_arrays(*(np.asarray(cell, dtype=np.float64) for row in rows for cell in row))
    return np.stack(cells, axis=-1).reshape(*cells[0].shape, 3, 3)
