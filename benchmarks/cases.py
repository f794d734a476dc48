"""The cases in which compiled derivatives are compared, and how fast each is asked to be.

    Case(problem, {"jax.jit": 0.9})     at most 0.9 of the time that jax.jit takes
"""

from attrs import evolve, field, frozen

from benchmarks.problems import (
    Problem,
    black_scholes_problem,
    chain_problem,
    elementwise_problem,
    jacobian_problem,
    log_sum_exp_problem,
    perceptron_problem,
    regression_hessian_problem,
    regression_problem,
    rosenbrock_problem,
    rosenbrock_product_problem,
    textbook_problem,
)
from benchmarks.programs import bodies_problem, predation_problem, process_problem, recurrence_problem, roe_problem

MILLION = 10**6
JAX, HAND = "jax.jit", "by hand"


@frozen
class Case:
    """A problem, the most that is asked of the ratio to each peer, and of the microseconds."""

    problem: Problem
    at_most: dict[str, float] = field(factory=dict)
    microseconds: float | None = None

    @property
    def name(self) -> str:
        """The name of the problem."""
        return self.problem.name


def named(name: str, problem: Problem) -> Problem:
    """Return a problem under the name of the case."""
    return evolve(problem, name=name)


def full_size() -> list[Case]:
    """Return the cases whose ratios are reported."""
    return [
        Case(named("seed", textbook_problem()), {JAX: 0.25}, microseconds=2.5),
        Case(named("chain10", chain_problem(10))),
        Case(named("chain100", chain_problem(100)), {JAX: 1.0}),
        Case(named("chain1000", chain_problem(1000))),
        Case(rosenbrock_problem(10)),
        Case(rosenbrock_product_problem(10)),
        Case(rosenbrock_problem(1000), {JAX: 0.5}),
        Case(rosenbrock_product_problem(1000), {JAX: 0.5}),
        Case(named("rosen_1e6", rosenbrock_problem(MILLION)), {HAND: 0.6}),
        Case(named("rosen_1e6_hvp", rosenbrock_product_problem(MILLION)), {HAND: 0.6}),
        Case(regression_problem(1000, 20), {HAND: 1.1}),
        Case(regression_problem(10000, 50), {HAND: 1.1}),
        Case(named("mlp_b256", perceptron_problem((784, 128, 64, 10), 256)), {HAND: 1.1}),
        Case(named("lse_1e6", log_sum_exp_problem(MILLION)), {HAND: 1.1}),
        Case(elementwise_problem(100)),
        Case(named("ew20_1e4", elementwise_problem(10**4))),
        Case(named("ew20_1e6", elementwise_problem(MILLION)), {HAND: 1.1}),
        Case(black_scholes_problem(100), {JAX: 0.5}),
        Case(named("bs_1e5", black_scholes_problem(10**5)), {JAX: 0.9}),
        Case(process_problem(200), {HAND: 1.1}),
        Case(process_problem(500), {JAX: 0.9, HAND: 1.1}),
        Case(bodies_problem(1000), {JAX: 0.9}),
        Case(predation_problem(1000), {HAND: 1.2}),
        Case(recurrence_problem(1000, 32), {HAND: 1.2}),
        Case(named("hess_logreg_200", regression_hessian_problem(2000, 200)), {JAX: 0.9}),
        Case(jacobian_problem(100), {JAX: 0.3}),
        Case(roe_problem(), {JAX: 0.5}),
    ]


def small_size() -> list[Case]:
    """Return the same problems at sizes that only show that they run and agree."""
    problems = [
        textbook_problem(),
        chain_problem(10),
        rosenbrock_problem(10),
        rosenbrock_product_problem(10),
        regression_problem(50, 5),
        perceptron_problem((6, 5, 4, 3), 8),
        log_sum_exp_problem(100),
        elementwise_problem(100),
        black_scholes_problem(100),
        process_problem(20),
        bodies_problem(20),
        predation_problem(10),
        recurrence_problem(10, 4),
        regression_hessian_problem(50, 5),
        jacobian_problem(10),
        roe_problem(),
    ]
    return [Case(problem) for problem in problems]


def memory_problems(full: bool) -> list[Problem]:
    """Return the problems whose peak memory is compared with the hand-written derivative's."""
    size = MILLION if full else 10**4
    problems = {"ew20": elementwise_problem, "bs": black_scholes_problem, "rosen": rosenbrock_problem}
    return [named(f"{name}_1e{len(str(size)) - 1}", make(size)) for name, make in problems.items()]
