"""Bessel functions (needs SciPy). The derivative of one is a sum of its neighbours in order.

    C_v' = (C_(v-1) - C_(v+1)) / 2      for J, Y and Hankel's H
    I_v' = (I_(v-1) + I_(v+1)) / 2      K_v' = -(K_(v-1) + K_(v+1)) / 2

The order is a constant: no derivative in it is known to this module, and asking for one raises.

    >>> float(J1.derivative(0.0, 0.0))
    0.5
"""

from __future__ import annotations

from typing import Any, final

from attrs import field
from scipy import special

from covector.core.families import Binary, Nary, Unary
from covector.core.primitive import parametrized
from covector.core.types import Array, typeof
from covector.errors import MissingRuleError
from covector.ops.comparison import SIGN
from covector.ops.elementary import EXP
from covector.ops.hypergeometric import refuse_partial


def _name_of(ufunc: Any) -> str:
    return str(ufunc.__name__)


@final
@parametrized
class Bessel(Binary):
    """A Bessel function of order x at y, with C_x' = before C_(x-1) + after C_(x+1) + growth C_x.

    `growth` is that of the factor of a scaled function: `kve` is K times e^y. The factor of `ive`, e^(-|Re y|),
    has none that is complex-differentiable; its growth is -sign y, marked by None.
    """

    ufunc: Any = field(repr=_name_of)
    before: float = field(repr=False)
    after: float = field(repr=False)
    growth: float | None = field(default=0.0, repr=False)

    @property
    def name(self) -> str:
        return _name_of(self.ufunc)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        refuse_partial(self.name, "v")

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        neighbours = self(x - 1, y) * self.before + self(x + 1, y) * self.after
        if self.growth == 0.0:
            return neighbours
        return neighbours + (self._decay(y) if self.growth is None else self.growth) * out

    def _decay(self, y: Array) -> Array:
        if typeof(y).dtype.kind == "c":
            raise MissingRuleError(f"scipy.special.{self.name} of a complex number is not complex-differentiable")
        return -SIGN(y)


@final
@parametrized
class BesselOfOrder(Unary):
    """A Bessel function of order 0 or 1 that has a name of its own, such as `j0`."""

    ufunc: Any = field(repr=_name_of)
    order: int = field(repr=False)
    general: Bessel = field(repr=False)

    @property
    def name(self) -> str:
        return _name_of(self.ufunc)

    def derivative(self, out: Array, x: Array) -> Array:
        return self.general.right_partial(out, self.order, x)


@final
class SphericalHarmonic(Nary):
    """Y_n^m(theta, phi), complex, of degree n and order m; derivative i m Y in phi.

    In theta the ladder of orders, which is regular at the poles:
    dY_n^m = (sqrt((n-m)(n+m+1)) e^(-i phi) Y_n^(m+1) - sqrt((n+m)(n-m+1)) e^(i phi) Y_n^(m-1)) / 2.
    """

    __slots__ = ()

    @staticmethod
    def ufunc(n: Array, m: Array, theta: Array, phi: Array) -> Array:
        """As SciPy computes it; before version 1.15 its function had another name and order of arguments."""
        if hasattr(special, "sph_harm_y"):
            return special.sph_harm_y(n, m, theta, phi)
        return special.sph_harm(m, n, phi, theta)

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        n, m, theta, phi = inputs
        if argument < 2:
            refuse_partial("sph_harm_y", "nm"[argument])
        if argument == 3:
            return out * m * 1j
        up, down = (n - m) * (n + m + 1), (n + m) * (n - m + 1)
        raised = EXP(phi * -1j) * SPHERICAL_HARMONIC(n, m + 1, theta, phi) * up**0.5
        lowered = EXP(phi * 1j) * SPHERICAL_HARMONIC(n, m - 1, theta, phi) * down**0.5
        return (raised - lowered) * 0.5


JV, YV, YN = Bessel(special.jv, 0.5, -0.5), Bessel(special.yv, 0.5, -0.5), Bessel(special.yn, 0.5, -0.5)
IV, KV, KN = Bessel(special.iv, 0.5, 0.5), Bessel(special.kv, -0.5, -0.5), Bessel(special.kn, -0.5, -0.5)
IVE, KVE = Bessel(special.ive, 0.5, 0.5, None), Bessel(special.kve, -0.5, -0.5, 1.0)
HANKEL1, HANKEL2 = Bessel(special.hankel1, 0.5, -0.5), Bessel(special.hankel2, 0.5, -0.5)
J0, J1 = BesselOfOrder(special.j0, 0, JV), BesselOfOrder(special.j1, 1, JV)
Y0, Y1 = BesselOfOrder(special.y0, 0, YN), BesselOfOrder(special.y1, 1, YN)
I0, I1 = BesselOfOrder(special.i0, 0, IV), BesselOfOrder(special.i1, 1, IV)
K0, K1 = BesselOfOrder(special.k0, 0, KV), BesselOfOrder(special.k1, 1, KV)
I0E, I1E = BesselOfOrder(special.i0e, 0, IVE), BesselOfOrder(special.i1e, 1, IVE)
K0E, K1E = BesselOfOrder(special.k0e, 0, KVE), BesselOfOrder(special.k1e, 1, KVE)
SPHERICAL_HARMONIC = SphericalHarmonic()
