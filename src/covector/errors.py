"""Every error covector raises on purpose, in one tree.

Each class is also the built-in error a NumPy user would expect, so `except TypeError` keeps working:

    CovectorError
    ├── NotDifferentiableError (TypeError)      integers or booleans where a derivative was asked for
    ├── NonScalarOutputError (TypeError)        grad of a function whose output is not a scalar
    ├── ArgumentError (ValueError, TypeError)   argnums, argnames or another option that does not fit
    ├── TreeMismatchError (ValueError, TypeError)  two trees that should have one structure
    ├── ShapeMismatchError (ValueError)         two arrays that should have one shape
    ├── DTypeMismatchError (TypeError)          two arrays that should have one dtype
    ├── BatchAxisError (ValueError)             in_axes, out_axes or sizes that disagree
    ├── TracerConversionError (TypeError)       a traced value asked to be a plain number or array
    │   └── ConcreteValueError                  a Python branch on a value that is not known
    ├── LeakedTracerError (TypeError)           a traced value used after its transformation ended
    ├── MutationError (ValueError)              an array changed in place between its use and the derivative
    ├── UnsupportedFunctionError (TypeError, NotImplementedError)  a function that has no rule
    ├── UnsupportedArgumentError (TypeError)    an option of a covered function that is not honoured
    ├── MissingRuleError (TypeError, NotImplementedError)  an operation without the rule that was needed
    ├── NonlinearError (ValueError)             a function that should be linear and is not
    ├── GraphError (ValueError)                 a graph that does not type-check
    ├── DerivativeMismatchError (AssertionError)  check_grads found a wrong derivative
    └── BatchingMismatchError (AssertionError)  check_batching found that vmap is not a loop

One warning is issued where a derivative exists for some functions only:

    DegenerateWarning (RuntimeWarning)      derivatives of the vectors of equal eigenvalues or singular values
"""


class CovectorError(Exception):
    """The root of the tree; never raised itself."""


class NotDifferentiableError(CovectorError, TypeError):
    """A derivative with respect to integers or booleans was asked for."""


class NonScalarOutputError(CovectorError, TypeError):
    """A gradient of a function whose output is not one real number was asked for."""


class ArgumentError(CovectorError, ValueError, TypeError):
    """An option such as argnums does not fit the call."""


class TreeMismatchError(CovectorError, ValueError, TypeError):
    """Two trees that should have one structure have different ones."""


class ShapeMismatchError(CovectorError, ValueError):
    """Two arrays that should have one shape have different ones."""


class DTypeMismatchError(CovectorError, TypeError):
    """Two arrays that should have one dtype have different ones."""


class BatchAxisError(CovectorError, ValueError):
    """The axes or sizes given to vmap do not fit its arguments or each other."""


class TracerConversionError(CovectorError, TypeError):
    """A traced value was asked to become a plain number or array, which would lose its derivative."""


class ConcreteValueError(TracerConversionError):
    """A Python branch needs the value of something that has none yet."""


class LeakedTracerError(CovectorError, TypeError):
    """A traced value was used after the transformation that made it had ended."""


class MutationError(CovectorError, ValueError):
    """An array was changed in place after a traced operation had used it."""


class UnsupportedFunctionError(CovectorError, TypeError, NotImplementedError):
    """A function was called on a traced value and has no rule."""


class UnsupportedArgumentError(CovectorError, TypeError):
    """A covered function was called with an option that is not honoured."""


class MissingRuleError(CovectorError, TypeError, NotImplementedError):
    """An operation lacks the rule that a transformation needs."""


class NonlinearError(CovectorError, ValueError):
    """A function that has to be linear in its argument is not."""


class GraphError(CovectorError, ValueError):
    """A graph does not type-check."""


class DerivativeMismatchError(CovectorError, AssertionError):
    """A derivative disagrees with its difference quotient."""


class BatchingMismatchError(CovectorError, AssertionError):
    """A batched function disagrees with the function in a loop."""


class DegenerateWarning(RuntimeWarning):
    """A derivative went through the eigenvectors of equal eigenvalues, which the matrix does not determine."""
