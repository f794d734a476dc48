"""Complex numbers, Fourier transforms and quantum states."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.wild import normal, normal_complex, program, uniform

GRID = np.linspace(-5.0, 5.0, 16, endpoint=False)
WAVE_NUMBERS = 2 * np.pi * np.fft.fftfreq(16, d=GRID[1] - GRID[0])


@program((normal_complex(3, 3), 0.7), (normal_complex(3, 3), 0.2))
def evolution_by_eigenvectors(raw: Any, time: Any) -> Any:
    energies, states = np.linalg.eigh(raw + raw.conj().T)
    propagator = states @ np.diag(np.exp(-1j * energies * time)) @ states.conj().T
    return np.abs(propagator @ np.array([1, 0, 0], complex)) ** 2


@program((uniform(0.1, 0.5, 3), uniform(1.3, 2.0, 3), 0.55), (uniform(0.1, 0.5, 3), uniform(1.3, 2.0, 3), 0.6))
def thin_film_reflection(thickness: Any, index: Any, wavelength: Any) -> Any:
    m = np.eye(2, dtype=complex)
    for d, n in zip(thickness, index, strict=True):
        phase = 2 * np.pi * n * d / wavelength
        m = m @ np.stack([
            np.stack([np.cos(phase) + 0j, 1j * np.sin(phase) / n]),
            np.stack([1j * n * np.sin(phase), np.cos(phase) + 0j]),
        ])  # fmt: skip
    front, back = m[0, 0] + 1.5 * m[0, 1], m[1, 0] + 1.5 * m[1, 1]
    return np.abs((front - back) / (front + back)) ** 2


@program((normal(16), 0.7), (normal(16), -1.2))
def schroedinger_by_split_steps(potential: Any, momentum: Any) -> Any:
    psi = np.exp(-(GRID**2) / 2 + 1j * momentum * GRID)
    psi = psi / np.sqrt(np.sum(np.abs(psi) ** 2))
    for _ in range(2):
        psi = np.exp(-0.05j * potential) * psi
        psi = np.fft.ifft(np.exp(-0.05j * WAVE_NUMBERS**2) * np.fft.fft(psi))
    return np.sum(np.abs(psi) ** 2 * GRID)


@program((normal(4),), (normal(4),))
def quantum_circuit(angles: Any) -> Any:
    def turn(t: Any) -> Any:
        return np.block([[np.cos(t / 2) + 0j, -1j * np.sin(t / 2)], [-1j * np.sin(t / 2), np.cos(t / 2) + 0j]])

    def phase(t: Any) -> Any:
        return np.diag(np.exp(np.array([-0.5j, 0.5j]) * t))

    gates = np.kron(turn(angles[0]) @ phase(angles[1]), phase(angles[2]) @ turn(angles[3]))
    psi = np.eye(4)[[0, 1, 3, 2]] @ gates @ np.array([1, 0, 0, 0])
    return np.real(np.conj(psi) @ np.diag([1, -1, -1, 1]) @ psi)


@program((normal_complex(4), uniform(-1, 1, 3)), (normal_complex(4), uniform(-1, 1, 3)))
def beam_pattern(weights: Any, directions: Any) -> Any:
    steering = np.exp(1j * np.pi * np.outer(np.arange(4), np.sin(directions)))
    power = np.abs(weights.conj() @ steering) ** 2
    return np.log10(power + 1e-1) / np.vdot(weights, weights).real


@program((normal_complex(3, 3), normal_complex(3)), (normal_complex(3, 3), normal_complex(3)))
def complex_systems(a: Any, b: Any) -> Any:
    return np.abs(np.linalg.solve(a, b)) ** 2 + np.real(np.linalg.inv(a) @ b * np.exp(1j * np.angle(b)))


@program((1.0, 0.5, 0.3), (2.0, 0.1, 1.3))
def impedance(resistance: Any, inductance: Any, capacity: Any) -> Any:
    frequency = np.array([1.0, 2.0, 5.0])
    z = resistance + 1j * frequency * inductance + 1.0 / (1j * frequency * capacity)
    return np.abs(z), np.angle(z), np.unwrap(np.angle(z)), z.real * z.imag


@program((0.1 + 0.2j,), (-0.3 + 0.4j,))
def mandelbrot_orbit(c: Any) -> Any:
    z = 0
    for _ in range(4):
        z = z * z + c
    return abs(z) ** 2


@program((normal(7), 0.5), (normal(7), 1.5))
def spectral_blur(x: Any, width: Any) -> Any:
    kept = np.exp(-20.0 * width * np.fft.rfftfreq(len(x)) ** 2)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft(x))) ** 2
    return np.fft.irfft(np.fft.rfft(x) * kept, n=len(x)), spectrum
