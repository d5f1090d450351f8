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


def test_blas_gets_its_threads_back_when_the_last_of_two_callers_is_done(four):
    outer_runs, inner_done = threading.Event(), threading.Event()

    def long(part):
        if part.start == 0:  # the other worker is for the second caller
            outer_runs.set()
            assert inner_done.wait(10)
        return blas_threads()

    found = []
    outer = threading.Thread(target=lambda: found.extend(threads.each(long, [slice(0, 1), slice(1, 2)])))
    outer.start()
    assert outer_runs.wait(10)
    threads.each(lambda part: None, [slice(0, 1), slice(1, 2)])
    inner_done.set()
    outer.join()
    assert found == [{1}, {1}] and blas_threads() == {4}


def test_an_error_inside_gives_them_back_too(four):
    def fail(part):
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        threads.each(fail, [slice(0, 1), slice(1, 2)])
    assert blas_threads() == {4}
