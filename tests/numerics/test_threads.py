"""Work in threads keeps BLAS on one thread, and gives BLAS its threads back."""

import threading

import pytest
from threadpoolctl import ThreadpoolController

from widelimit.numerics import threads


def blas_threads():
    return {one["num_threads"] for one in ThreadpoolController().select(user_api="blas").info()}


@pytest.fixture
def four(monkeypatch):
    """Four threads of our own and four of BLAS, wherever the test runs."""
    monkeypatch.setattr(threads, "workers", lambda: 4)
    monkeypatch.setattr(threads, "_pools", {})
    with ThreadpoolController().limit(limits=4, user_api="blas"):
        yield


def test_matrix_products_inside_stay_on_one_thread(four):
    assert threads.each(lambda part: blas_threads(), threads.chunks(8, smallest=2)) == [{1}] * 4
    assert blas_threads() == {4}


def test_blas_gets_its_threads_back_when_two_callers_are_done(monkeypatch):
    monkeypatch.setattr(threads, "workers", lambda: 4)
    monkeypatch.setattr(threads, "_pools", {})
    before, first_runs, second_done = blas_threads(), threading.Event(), threading.Event()

    def long(part):
        if part.start == 0:  # the other workers are for the second caller
            first_runs.set()
            assert second_done.wait(10)

    caller = threading.Thread(target=lambda: threads.each(long, [slice(0, 1), slice(1, 2)]))
    caller.start()
    assert first_runs.wait(10)
    threads.each(lambda part: None, [slice(0, 1), slice(1, 2)])
    second_done.set()
    caller.join()
    assert blas_threads() == before


def test_an_error_inside_gives_them_back_too(four):
    def fail(part):
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        threads.each(fail, [slice(0, 1), slice(1, 2)])
    assert blas_threads() == {4}
