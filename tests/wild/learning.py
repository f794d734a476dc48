"""Neural networks, losses and embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

import covector as cv
from covector.scipy.special import logsumexp
from tests.wild import normal, program, uniform

INPUTS = np.linspace(-1.0, 1.0, 7)[:, None]
POINTS = np.sin(np.arange(12.0)).reshape(6, 2)
NOISE = np.cos(np.arange(12.0)).reshape(4, 3)
TRIANGLE = np.tril(np.ones((4, 4), bool))
NEIGHBOURS = np.array([[0.0, 0.2, 0.1], [0.2, 0.0, 0.2], [0.1, 0.2, 0.0]])
PATCHES = np.arange(4)[:, None] + np.arange(3)


def layers() -> Any:
    return ([(normal(1, 4), normal(4)), (normal(4, 3), normal(3)), (normal(3, 1), normal(1))],)


@program(layers(), layers())
def multilayer_perceptron(parameters: Any) -> Any:
    hidden = INPUTS
    for weights, bias in parameters[:-1]:
        hidden = np.tanh(np.dot(hidden, weights) + bias)
    weights, bias = parameters[-1]
    output = np.dot(hidden, weights) + bias
    penalty = sum(np.sum(w**2) + np.dot(b, b) for w, b in parameters)
    return np.mean((output[:, 0] - np.sin(3 * INPUTS[:, 0])) ** 2) + 0.01 * penalty


@program((normal(2, 1, 6, 6), normal(2, 1, 3, 3)), (normal(2, 1, 6, 6), normal(2, 1, 3, 3)))
def convolutional_layer_by_fancy_indexing(images: Any, kernels: Any) -> Any:
    patches = images[:, :, PATCHES[:, None, :, None], PATCHES[None, :, None, :]]
    out = np.einsum("ncijkl,ockl->noij", patches, kernels, optimize=True)
    return np.tanh(out.reshape(2, 2, 2, 2, 2, 2).max(axis=5).max(axis=3))


@program((normal(5, 5), normal(2, 2)), (normal(5, 5), normal(2, 2)))
def convolution_by_windows(image: Any, kernel: Any) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.sum(windows * kernel, axis=(-1, -2)) + windows.max(axis=(-1, -2))


def cell() -> Any:
    gates = {name: normal(6, 3) for name in ("change", "forget", "ingate", "outgate")}
    return {"hidden": normal(1, 3), "cell": normal(1, 3), "predict": normal(4, 2), **gates}, normal(2, 2, 2)


@program(cell(), cell())
def long_short_term_memory(parameters: Any, inputs: Any) -> Any:
    def sigmoid(x: Any) -> Any:
        return 0.5 * (np.tanh(x) + 1.0)

    def affine(name: str, *arrays: Any) -> Any:
        return np.dot(np.hstack((*arrays, np.ones((arrays[0].shape[0], 1)))), parameters[name])

    hidden = np.repeat(parameters["hidden"], inputs.shape[1], axis=0)
    cells = np.repeat(parameters["cell"], inputs.shape[1], axis=0)
    outputs = []
    for x in inputs:
        change = np.tanh(affine("change", x, hidden))
        cells = sigmoid(affine("forget", x, hidden)) * cells + sigmoid(affine("ingate", x, hidden)) * change
        hidden = sigmoid(affine("outgate", x, hidden)) * np.tanh(cells)
        scores = affine("predict", hidden)
        outputs.append(scores - logsumexp(scores, axis=1, keepdims=True))
    return np.array(outputs)


@program(tuple(normal(2, 4, 3) for _ in range(3)), tuple(normal(2, 4, 3) for _ in range(3)))
def causal_attention_and_layer_norm(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    scores = np.where(TRIANGLE, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    out = weights @ value
    return (out - out.mean(-1, keepdims=True)) / np.sqrt(out.var(-1, keepdims=True) + 1e-5)


def norm_state() -> Any:
    return normal(5, 3), {"mean": normal(3), "var": uniform(0.5, 1.0, 3), "gain": normal(3), "shift": normal(3)}


@program(norm_state(), norm_state())
def batch_norm_with_running_statistics(x: Any, p: Any) -> Any:
    mean, var = np.mean(x, axis=0, keepdims=True), np.var(x, axis=0, keepdims=True)
    running = {"mean": 0.9 * p["mean"] + 0.1 * mean[0], "var": 0.9 * p["var"] + 0.125 * var[0]}
    return (x - mean) / np.sqrt(var + 1e-5) * p["gain"] + p["shift"], running


@program((normal(3),), (np.array([0.0, 3.0, -3.0]),))
def focal_loss(logits: Any) -> Any:
    labels = np.array([1, 0, 1])
    probability = 1.0 / (1.0 + np.exp(-logits))
    right = np.where(labels == 1, probability, 1.0 - probability)
    return -np.sum((1.0 - right) ** 2 * np.log(right))


@program((normal(4, 3), normal(4, 3), 0.3), (normal(4, 3), normal(4, 3), -0.3))
def contrastive_loss(images: Any, texts: Any, log_scale: Any) -> Any:
    def log_softmax(z: Any) -> Any:
        z = z - z.max(1, keepdims=True)
        return z - np.log(np.sum(np.exp(z), 1, keepdims=True))

    images = images / np.linalg.norm(images, axis=-1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=-1, keepdims=True)
    logits = images @ texts.T * np.exp(log_scale)
    return -(np.trace(log_softmax(logits)) + np.diagonal(log_softmax(logits.T)).sum()) / (2 * len(images))


@program((normal(2, 2),), (normal(2, 2),))
def soft_k_means(centers: Any) -> Any:
    for _ in range(3):
        weights = np.exp(-3.0 * ((POINTS[:, None] - centers) ** 2).sum(-1))
        weights = weights / weights.sum(1, keepdims=True)
        centers = (weights.T @ POINTS) / weights.sum(0)[:, None]
    return centers


@program((normal(3, 2),), (normal(3, 2),))
def stochastic_neighbour_embedding(y: Any) -> Any:
    square = np.sum(y**2, 1)
    kernel = 1.0 / (1.0 + square[:, None] + square[None] - 2.0 * y @ y.T) * (1.0 - np.eye(3))
    q = np.maximum(kernel / kernel.sum(), 1e-12)
    return np.sum(np.where(NEIGHBOURS > 0, NEIGHBOURS * np.log(np.where(NEIGHBOURS > 0, NEIGHBOURS, 1.0) / q), 0.0))


@program((normal(5, 3),), (normal(5, 3),))
def principal_components(x: Any) -> Any:
    centered = x - x.mean(0)
    u, s, vt = np.linalg.svd(centered, full_matrices=False)
    return np.sum((centered - (u[:, :2] * s[:2]) @ vt[:2]) ** 2), s**2 / np.sum(s**2), np.abs(vt[0])


@program((normal(6, 3),), (normal(6, 3),))
def whitening(x: Any) -> Any:
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return x @ (vectors / np.sqrt(values + 1e-3)) @ vectors.T


@program((normal(7, 2), normal(7, 3)), (normal(7, 2), normal(7, 3)))
def canonical_correlations(x: Any, y: Any) -> Any:
    left, _ = np.linalg.qr(x - x.mean(0))
    right, _ = np.linalg.qr(y - y.mean(0))
    return np.linalg.svd(left.T @ right, compute_uv=False)


@program((normal(3), normal(3)), (normal(3), normal(3)))
def black_box_variational_inference(mean: Any, log_scale: Any) -> Any:
    samples = mean + np.exp(log_scale) * NOISE
    log_density = -np.sum(np.logaddexp(0.0, -samples * np.array([1.0, 2.0, -1.0])), axis=1)
    entropy = np.sum(log_scale + 0.5 * np.log(2 * np.pi * np.e))
    return np.mean(log_density - 0.5 * np.sum(samples**2, 1)) + entropy


@program((normal(2), 0.1), (normal(2), 0.4))
def meta_learning(weights: Any, rate: Any) -> Any:
    def loss(w: Any, t: Any) -> Any:
        return np.mean((np.tanh(w * t) - t**2) ** 2)

    for _ in range(2):
        weights = weights - rate * cv.grad(loss)(weights, np.array([0.1, 0.5]))
    return loss(weights, np.array([0.3, 0.9]))


@program((normal(4), normal(4), normal(4)), (normal(4), normal(4), normal(4)))
def physics_informed_network(inner: Any, bias: Any, outer: Any) -> Any:
    def network(x: Any) -> Any:
        return np.dot(outer, np.tanh(inner * x + bias))

    places = np.linspace(0.1, 0.9, 3)
    curvature = cv.vmap(cv.grad(cv.grad(network)))(places)
    return np.mean((curvature + np.sin(places)) ** 2) + network(0.0) ** 2
