"""A user's matrix is read or refused with one sentence; digits pairs are what scikit-learn's set holds."""

import gzip

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError, InputError
from widelimit.validate.harness import inputs


def written(tmp_path, text, name="m.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_reads_csv_with_and_without_header(tmp_path):
    expected = [[1.0, 2.5], [-3.0, 4e-2]]
    assert inputs.load_matrix(written(tmp_path, "1,2.5\n-3,4e-2\n")).tolist() == expected
    assert inputs.load_matrix(written(tmp_path, "a,b\n1,2.5\n\n-3,4e-2\n")).tolist() == expected


def test_reads_npy_of_whole_numbers(tmp_path):
    np.save(tmp_path / "m.npy", np.arange(6).reshape(3, 2))
    matrix = inputs.load_matrix(tmp_path / "m.npy")
    assert matrix.dtype == np.float64 and matrix[2, 1] == 5.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,abc\n", ["'abc'", "row 2, column 2"]),
        ("a,b\n1,2\n3,\n", ["nothing", "row 3, column 2"]),
        ("1,2\n", ["one row", "two"]),
        ("1,2\n\n3,nan\n", ["nan", "row 3, column 2"]),
        ("1,2\n3,inf\n", ["inf", "row 2, column 2"]),
        ("", ["empty"]),
        ("a,b\n", ["empty"]),
        ("1,2\n3,4,5\n", ["3 columns in row 2", "2 in row 1"]),
        ("1+2j,2\n3,4\n", ["'1+2j'", "row 1, column 1"]),
    ],
)
def test_refuses_bad_csv(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        inputs.load_matrix(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.array([[1j, 2], [3, 4]]), "complex"),
        (np.array([["a", "b"], ["c", "d"]]), "real numbers"),
        (np.array([[1.0, np.nan], [3, 4]]), "row 1, column 2"),
        (np.ones((1, 3)), "one row"),
        (np.ones(3), "1 dimensions"),
        (np.ones((2, 2, 2)), "3 dimensions"),
        (np.ones((0, 3)), "empty"),
        (np.array([[object(), 1]], dtype=object), "Python objects"),
    ],
)
def test_refuses_bad_npy(tmp_path, array, word):
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(InputError, match=word):
        inputs.load_matrix(tmp_path / "m.npy")


def test_refuses_what_is_no_matrix_file(tmp_path):
    np.save(tmp_path / "m.npy", np.ones((4, 4)))
    whole = (tmp_path / "m.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-20])
    (tmp_path / "none.npy").write_bytes(b"")
    (tmp_path / "latin.csv").write_bytes(b"1,\xff\xfe\n2,3\n")
    np.savez(tmp_path / "archive.npz", a=np.ones((2, 2)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    for name, word in [
        ("cut.npy", "complete"),
        ("none.npy", "complete"),
        ("latin.csv", "UTF-8"),
        ("archive.npy", "archive"),
        ("absent.csv", "does not exist"),
    ]:
        with pytest.raises(InputError, match=word):
            inputs.load_matrix(tmp_path / name)
    with pytest.raises(InputError, match="neither"):
        inputs.load_matrix(written(tmp_path, "1,2\n3,4\n", "m.xls"))


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    assert np.array_equal(inputs.pair("digits:3:17") * 16, load_digits().data[[3, 17]])
    assert inputs.digits().max() == 1.0 and not inputs.digits().flags.writeable


def test_pair_of_a_file_whose_path_has_a_colon(tmp_path):
    path = written(tmp_path, "1,2\n3,4\n5,6\n", "a:b.csv")
    assert inputs.pair(f"file:{path}:2:0").tolist() == [[5, 6], [1, 2]]


@pytest.mark.parametrize("data", ["digits:3", "digits:3:x", "digits:0:1797", "mnist:1:2", "digits:-1:2", ""])
def test_refuses_a_pair_that_is_not_there(data):
    with pytest.raises(ArgumentError, match="`data`"):
        inputs.pair(data)


def test_refuses_a_row_of_zeros(tmp_path):
    path = written(tmp_path, "0,0\n1,2\n")
    with pytest.raises(ArgumentError, match="zeros"):
        inputs.pair(f"file:{path}:0:1")


def test_first_moments_by_hand(tmp_path):
    path = written(tmp_path, "3,4\n0,5\n")  # |a|^2 = |b|^2 = 25, a.b = 20, n = 2
    q_a, q_b, c = inputs.first_moments(f"file:{path}:0:1", sigma_w=2.0, sigma_b=1.0)
    assert (q_a, q_b) == (51.0, 51.0)  # 4 * 25 / 2 + 1
    assert c == pytest.approx(41 / 51, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tsv", b"a\tb\n1\t2.5\n-3\t0.04\n"),
        ("m.csv", b"a;b\n1;2,5\n-3;0,04\n"),
        ("m.txt", b"# x\n1 2.5\n-3 4e-2\n"),
        ("m.csv.gz", gzip.compress(b",a,b\n1,1,2.5\n0,-3,4e-2\n", mtime=0)),
        ("m.csv", "größe,b\n1,2.5\n-3,4e-2\n".encode("utf-16")),
        ("m.csv", "größe,b\n1,2.5\n-3,4e-2\n".encode("latin-1")),
        ("m.csv", b'"","a","b"\n"x",1,2.5\n"y",-3,4e-2\n'),
    ],
)
def test_reads_what_the_other_doors_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert inputs.load_matrix(tmp_path / name).tolist() == [[1.0, 2.5], [-3.0, 4e-2]]


def test_archives_and_what_memory_cannot_hold(tmp_path):
    np.savez(tmp_path / "one.npz", a=np.ones((4, 2)))
    assert inputs.load_matrix(tmp_path / "one.npz").shape == (4, 2)
    np.savez(tmp_path / "two.npz", a=np.ones((4, 2)), b=np.ones(3))
    with pytest.raises(InputError, match=r"archive of 2 arrays \(a, b\)"):
        inputs.load_matrix(tmp_path / "two.npz")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2)}\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InputError, match=r"huge\.npy .* declares the shape \(1000000000000, 2\)"):
        inputs.load_matrix(tmp_path / "huge.npy")


def test_a_column_left_out_is_counted_in_complaints(tmp_path):
    with pytest.raises(InputError, match=r"nothing \(nan\) in row 3, column 3"):
        inputs.load_matrix(written(tmp_path, ",a,b\n0,1,2\n1,3,\n"))
