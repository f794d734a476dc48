"""Sensitivities of an option to third order, by applying `grad` up to three times.

Black and Scholes (1973) and Merton (1973) price a European call option on a share at S with strike K, interest r,
volatility s and time T to expiry as

    C = S N(d1) - K exp(-r T) N(d2),    d1 = (ln(S / K) + (r + s²/2) T) / (s sqrt(T)),    d2 = d1 - s sqrt(T),

where N is the normal distribution function. Traders call its partial derivatives Greeks and look up their closed forms;
here each is a line, and the closed forms are what it is compared with.
"""

import numpy as np
from scipy.special import ndtr

import covector as cv


def call(spot, strike, rate, volatility, time):
    deviation = volatility * np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * time) / deviation
    return spot * ndtr(d1) - strike * np.exp(-rate * time) * ndtr(d1 - deviation)


def derivative(*arguments):
    """The partial derivative of the price in each of the arguments in turn."""
    function = call
    for argument in arguments:
        function = cv.grad(function, argnums=argument)
    return function


SPOT, STRIKE, RATE, VOLATILITY, TIME = range(5)
GREEKS = {
    "delta": derivative(SPOT),
    "vega": derivative(VOLATILITY),
    "rho": derivative(RATE),
    "gamma": derivative(SPOT, SPOT),
    "vanna": derivative(SPOT, VOLATILITY),
    "vomma": derivative(VOLATILITY, VOLATILITY),
    "charm": lambda *x: -derivative(SPOT, TIME)(*x),  # time passes as T shrinks
    "speed": derivative(SPOT, SPOT, SPOT),
    "zomma": derivative(SPOT, SPOT, VOLATILITY),
    "color": derivative(SPOT, SPOT, TIME),
    "ultima": derivative(VOLATILITY, VOLATILITY, VOLATILITY),
}


def closed_forms(spot, strike, rate, volatility, time):
    """The same from the literature (Haug, The Complete Guide to Option Pricing Formulas, 2007)."""
    root = np.sqrt(time)
    deviation = volatility * root
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * time) / deviation
    d2 = d1 - deviation
    density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
    gamma, vega = density / (spot * deviation), spot * density * root
    ratio = (2 * rate * time - d2 * deviation) / (2 * time * deviation)
    product = d1 * d2
    return {
        "delta": ndtr(d1),
        "vega": vega,
        "rho": strike * time * np.exp(-rate * time) * ndtr(d2),
        "gamma": gamma,
        "vanna": -density * d2 / volatility,
        "vomma": vega * product / volatility,
        "charm": -density * ratio,
        "speed": -gamma / spot * (d1 / deviation + 1),
        "zomma": gamma * (product - 1) / volatility,
        "color": -density / (2 * spot * time * deviation) * (1 + 2 * time * ratio * d1),
        "ultima": -vega / volatility**2 * (product * (1 - product) + d1**2 + d2**2),
    }


point = (100.0, 110.0, 0.03, 0.25, 0.75)
expected = closed_forms(*point)
print(f"call price {call(*point):.6f}\n\n{'':>8}{'by grad':>16}{'closed form':>16}{'relative error':>17}")
for name, greek in GREEKS.items():
    value = greek(*point)
    error = abs(value / expected[name] - 1)
    print(f"{name:>8}{value:>16.9f}{expected[name]:>16.9f}{error:>17.0e}")
    assert error < 1e-10

# Of a whole surface at once: one program for all spots and times, compiled.
spots, times = np.linspace(60, 160, 101), np.linspace(0.05, 1.5, 60)
grid = [x.ravel() for x in np.meshgrid(spots, times)]


def over_the_grid(greek):
    return cv.jit(cv.vmap(lambda spot, time: greek(spot, 110.0, 0.03, 0.25, time)))


speeds = over_the_grid(GREEKS["speed"])(*grid).reshape(len(times), len(spots))
assert np.allclose(speeds, closed_forms(spots, 110.0, 0.03, 0.25, times[:, None])["speed"], rtol=1e-9, atol=1e-15)
print(f"\nspeed at {speeds.size} spots and times: between {speeds.min():.5f} and {speeds.max():.5f}")

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3.2), sharex=True, layout="constrained")
    for axes, name in zip(all_axes, ("delta", "gamma", "speed"), strict=True):
        surface = over_the_grid(GREEKS[name])(*grid).reshape(len(times), len(spots))
        for row in (5, 20, 59):
            axes.plot(spots, surface[row], label=f"T = {times[row]:.2f}")
        axes.set(title=name, xlabel="spot")
    all_axes[0].legend()
    figure.savefig("black_scholes.svg")
