"""Twins of SciPy's functions, for those that are not ufuncs and therefore do not reach a tracer by themselves.

`covector.scipy.linalg.solve_triangular` has the signature and the results of `scipy.linalg.solve_triangular`,
and can be differentiated and batched. The modules here need SciPy; the rest of covector does not.
"""
