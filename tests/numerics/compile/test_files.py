"""Tables of every dialect are read to the same numbers; what is damaged, hostile or no table is refused in a phrase."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from widelimit.numerics import files, ridge
from widelimit.numerics.files import reading
from widelimit.numerics.files.table import Table, Unreadable
from widelimit.numerics.ridge import tables
from widelimit.theory.errors import ArgumentError, DataWarning

VALUES = [[1.5, 2.0, 3.0], [4.0, -0.25, 6.0], [7.0, 8.0, 1e-3]]
BODY = "1.5,2,3\n4,-.25,6\n7,8,1e-3\n"


def read(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return files.read(path)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b,y\n" + BODY, ("a", "b", "y")),
        (BODY, None),
        ("a;b;y\n" + BODY.replace(",", ";"), ("a", "b", "y")),
        ("a;b;y\n" + BODY.replace(",", ";").replace(".", ","), ("a", "b", "y")),
        (BODY.replace(",", ";").replace(".", ","), None),
        ("a\tb\ty\n" + BODY.replace(",", "\t").replace(".", ","), ("a", "b", "y")),
        ("a|b|y\n" + BODY.replace(",", "|"), ("a", "b", "y")),
        ("a b  y\n" + BODY.replace(",", "   "), ("a", "b", "y")),
        (BODY.replace(",", " "), None),
        ("a, b, y\n" + BODY.replace(",", ", "), ("a", "b", "y")),
        ("# by hand, 2024\n\n" + "a,b,y\n" + BODY.replace("4,", "# half way\n4,", 1), ("a", "b", "y")),
        ("% a b y\n" + BODY.replace(",", " "), ("a", "b", "y")),  # as numpy.savetxt writes names
        ("# two words\n" + BODY, None),
        ("a,b,y\n" + BODY.replace("\n", ",\n"), ("a", "b", "y")),  # a separator at the end
        ("a,b,y,\n" + BODY.replace("\n", ",\n"), ("a", "b", "y")),
        (("a,b,y\n" + BODY).replace("\n", "\r\n"), ("a", "b", "y")),
        (("a,b,y\n" + BODY).replace("\n", "\r"), ("a", "b", "y")),
        ("a,a,y\n" + BODY, ("a", "a", "y")),
        ("0,1,2\n" + BODY, ("0", "1", "2")),
        ('"a","b","y"\n"1.5","2","3"\n"4","-.25","6"\n"7","8","1e-3"\n', ("a", "b", "y")),
        # the names of rows: pandas, from 0, from 1, shuffled, written twice, and R with and without a corner
        (",a,b,y\n0,1.5,2,3\n1,4,-.25,6\n2,7,8,1e-3\n", ("a", "b", "y")),
        (",a,b,y\n1,1.5,2,3\n2,4,-.25,6\n3,7,8,1e-3\n", ("a", "b", "y")),
        (",a,b,y\n12,1.5,2,3\n10,4,-.25,6\n11,7,8,1e-3\n", ("a", "b", "y")),
        (",0,1,2\n0,1.5,2,3\n1,4,-.25,6\n2,7,8,1e-3\n", ("0", "1", "2")),
        ("Unnamed: 0,a,b,y\n2,1.5,2,3\n0,4,-.25,6\n1,7,8,1e-3\n", ("a", "b", "y")),
        ('"","a","b","y"\n"1",1.5,2,3\n"2",4,-.25,6\n"3",7,8,1e-3\n', ("a", "b", "y")),
        ('"a" "b" "y"\n"Mazda RX4" 1.5 2 3\n"Datsun" 4 -.25 6\n"Fiat" 7 8 1e-3\n', ("a", "b", "y")),
        ('"1",1.5,2,3\n"2",4,-.25,6\n"3",7,8,1e-3\n', None),
        ("größe,b,y\n".encode("latin-1") + BODY.encode(), ("größe", "b", "y")),
        *[
            (("größe,b,y\n" + BODY).encode(encoding), ("größe", "b", "y"))
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
        ],
        ("\ufeffgröße,b,y\n".encode("utf-16-be") + BODY.encode("utf-16-be"), ("größe", "b", "y")),
    ],
)
def test_dialects(tmp_path, content, names):
    table = read(tmp_path, content)
    assert table.values.tolist() == VALUES
    assert table.names == names
    assert not table.texts


def test_first_columns_that_are_features_stay(tmp_path):
    for content in (
        ",a\n0.5,1\n1.5,2\n2.5,5\n",  # no whole numbers
        ",a\n1,1\n1,2\n2,5\n",  # one twice
        "t,a\n0,1\n1,2\n2,5\n",  # has a name
        "0,1\n1,2\n2,5\n",  # a file without header
        "0\n1\n2\n",
    ):
        assert read(tmp_path, content).values.shape[1] == len(content.split("\n")[1].split(","))
    with pytest.warns(DataWarning, match="first column has no name"):
        assert read(tmp_path, ",a\n3,1\n9,2\n20,5\n").values.shape == (3, 2)


def test_first_rows_are_not_lost(tmp_path):
    for content in ("0,1\n1,0\n0,0\n", "1,2,3\n4,5,6\n7,8,9\n", "5,6\n1,2\n3,4\n", "2019,2020\n1,2\n3,4\n"):
        assert read(tmp_path, content).values.shape[0] == 3
    assert read(tmp_path, "0,1\n1.5,0.5\n0.25,2.5\n").names == ("0", "1")


def test_compressed_text(tmp_path):
    whole = gzip.compress(("a,b,y\n" + BODY).encode())
    for name in ("t.csv.gz", "t.tsv.gz", "T.CSV.GZ"):
        assert read(tmp_path, whole, name).values.tolist() == VALUES
    for content in (whole[:-9], whole[:20], b"a,b\n1,2\n", b""):
        try:
            read(tmp_path, content, "t.csv.gz")
        except Unreadable as error:
            assert "complete .gz" in error.reason or "empty" in error.reason
        else:
            pytest.fail("read")


def test_unpacking_stops_at_what_memory_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "free_memory", lambda: 4e6)
    with pytest.raises(Unreadable, match="unpacks to more than"):
        read(tmp_path, gzip.compress(b"1,2\n" * 10**6), "t.csv.gz")
    with pytest.raises(Unreadable, match="too many for the memory"):
        read(tmp_path, b"1,2\n" * 10**6)
    file = io.BytesIO()
    np.savez_compressed(file, a=np.zeros((1000, 1000)))
    with pytest.raises(Unreadable, match=r"declares 0\.0 GiB, too many"):
        read(tmp_path, file.getvalue(), "t.npz")
    file = io.BytesIO()
    np.save(file, np.zeros((1000, 1000)))
    with pytest.raises(Unreadable, match="too many for the memory"):
        read(tmp_path, file.getvalue(), "t.npy")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n \n,,\n", "is empty"),
        ("# nothing\n", "is empty"),
        ("a,b\n1,2\n3\n", "has 1 columns in row 3, but 2 in the header"),
        ("1,2\n3,4,5\n", "has 3 columns in row 2, but 2 in row 1"),
        (b"a,b\n1,\x00\n", "zero bytes"),
        (b"\xff\xfea", "marked as UTF-16"),
        (b"\xef\xbb\xbf\xff\xff", "marked as UTF-8"),
        ("a,b\n" + "1" * 2_000_000 + '"x,2\n', ""),
    ],
)
def test_text_that_is_no_table(tmp_path, content, reason):
    try:
        table = read(tmp_path, content)
    except Unreadable as error:
        assert reason in error.reason and "\n" not in error.reason
    else:
        assert reason == "" and table.texts


def npy(shape, descr="<f8", data=b"", fortran=False):
    header = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy((10**12, 2)), r"declares the shape \(1000000000000, 2\), 16000000000000 bytes .* holds 0"),
        (npy((2**62, 2**62)), "declares the shape"),
        (npy((10**30, 0)), "declares the shape"),
        (npy((2, 2), data=b"\0" * 31), "not a complete .npy file"),
        (npy((2, -2), data=b"\0" * 32), "header cannot be read"),
        (npy((True, 2), data=b"\0" * 32), "header cannot be read"),
        (npy("shape"), "header cannot be read"),
        (npy((2,), "__import__('os')"), "header cannot be read"),
        (npy((1, 2), "|O", b"\0" * 16), "never unpickled"),
        (npy((1, 2), "<c16", b"\0" * 32), "complex numbers"),
        (npy((1, 2), "<U3", b"\0" * 24), "must be real numbers"),
        (npy((1, 2), "<M8[s]", b"\0" * 16), "must be real numbers"),
        (npy((2,), [("a", "<f8")], b"\0" * 16), "must be real numbers"),
        (b"", "not a complete"),
        (b"\x93NUMPY\x01\x00\xff\xff", "header cannot be read"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "header cannot be read"),
        (b"\x93NUMPY\x01\x00\x60\xea" + b"[" * 60_000, "header cannot be read"),
        (b"PK\x03\x04....", "archive of arrays"),
    ],
)
def test_arrays_that_are_none(tmp_path, content, reason):
    with pytest.raises(Unreadable, match=reason):
        read(tmp_path, content, "t.npy")


def test_arrays_of_any_layout(tmp_path):
    expected = np.array([[1, 2], [3, 4], [0, 7]])
    for dtype in ("<f8", ">f4", "<f2", "<i8", ">i2", "|u1", "|b1"):
        for order in ("C", "F"):
            file = io.BytesIO()
            np.save(file, np.asarray(expected, dtype=dtype, order=order))
            got = read(tmp_path, file.getvalue(), "t.npy")
            assert np.array_equal(got.astype(float), expected.astype(dtype).astype(float))


def test_archives(tmp_path):
    def archive(**arrays):
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    X, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
    found = read(tmp_path, archive(X=X, y=y), "t.npz")
    assert np.array_equal(found["X"], X) and np.array_equal(found["y"], y)
    got = tables.table(tmp_path / "t.npz")
    assert np.array_equal(got[0], X) and np.array_equal(got[1], y)
    (tmp_path / "one.npz").write_bytes(archive(anything=X))
    assert tables.table(tmp_path / "one.npz")[1].tolist() == [1, 3, 5]
    (tmp_path / "three.npz").write_bytes(archive(a=X, b=X, c=X))
    with pytest.raises(ArgumentError, match="must hold one array, or two called X and y, but holds a, b, c"):
        tables.table(tmp_path / "three.npz")
    whole = archive(X=X, y=y)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("X.npy", npy((10**9, 2)) + b"\0" * 10)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("readme.txt", "hello")
    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    for content, reason in [
        (whole[:-30], "complete .npz"),
        (whole[: len(whole) // 2], "complete .npz"),
        (bytes(damaged), "complete|header|declares"),
        (b"", "complete .npz"),
        (bomb.getvalue(), "declares the shape"),
        (other.getvalue(), "no array of NumPy"),
        (archive(a=np.array([{}], dtype=object)), "never unpickled"),
        (archive(), "holds no array"),
    ]:
        with pytest.raises(Unreadable, match=reason):
            read(tmp_path, content, "bad.npz")


def saved(tmp_path, text, name="d.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("a,y\n1,2\n3,2\n4,2\n", "y", "`target` must vary, but column y is constant"),
        ("a,y\n1,.1\n3,.1\n4,.1\n7,.1\n", None, "`target` must vary, but column y is constant"),
        (
            "a,y\n1,2\n3,\n4,2\n",
            "y",
            "`target` must be finite, but is missing in row 1, column y (line 3 of the file)",
        ),
        ("# n\na,b,y\n1,2,3\n\n1,NA,3\n1,2,3\n", None, "is missing in row 1, column b (line 5 of the file)"),
        ("a,y\n1,2\n-inf,3\n4,2\n", "y", "is infinite in row 1, column a (line 3 of the file)"),
        ("a,y\n1,2\n1e999,3\n4,2\n", "y", "is infinite in row 1, column a"),
        (
            "a,c,y\n1,x,2\n2,u,3\n3,v,5\n",
            "y",
            "holds text or dates in c, first 'x' in row 0 (line 2 of the file)",
        ),
        ("d,y\n2020-01-01,2\n2020-01-02,3\n2020-01-03,5\n", "y", "holds text or dates in d"),
        ("a,c\n1,x\n2,u\n3,v\n", None, "`target` must be numeric, but holds text or dates in c"),
        ("a,a,y\n1,2,2\n2,1,3\n3,5,5\n", "a", "`target` must name one column, but 'a' is the name of 2"),
        ("a,y\n", None, "must have rows, but has none"),
        ("a,y\n1,2\n", None, "must have at least three samples, but has 1"),
        ("a,y\n1,2\n1,2\n1,2\n4,5\n", None, "must have at least three samples, but has 2 and 2 copies"),
        (",y\n1,2\n2,3\n3,7\n", None, "must be a table of samples x features, but has shape (3, 0)"),
    ],
)
def test_complaints_name_row_and_column(tmp_path, text, target, message):
    with pytest.raises(ArgumentError) as caught:
        ridge.from_data(saved(tmp_path, text), target=target)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_latin_text_says_what_was_assumed(tmp_path):
    (tmp_path / "l.csv").write_bytes("a,ort,y\n1,Köln,2\n2,Ulm,3\n3,Rom,7\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match=r"in ort, first 'Köln' in row 0 .* read as Latin-1"):
        ridge.from_data(tmp_path / "l.csv")


def test_row_numbers_are_not_learned_from(tmp_path):
    # the target follows the row numbers, which a feature must not know
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.standard_normal((80, 3)), columns=list("aby"))
    frame["y"] += np.arange(80) / 10
    plain = ridge.from_data(frame.sample(frac=1, random_state=1).reset_index(drop=True))
    assert plain.features == 2
    shuffled = frame.sample(frac=1, random_state=1)
    shuffled.to_csv(tmp_path / "f.csv")
    found = ridge.from_data(tmp_path / "f.csv")
    assert (found.features, found.test_error) == (2, pytest.approx(plain.test_error, rel=1e-9))
    again = ridge.from_data(pd.read_csv(tmp_path / "f.csv"))  # has the column "Unnamed: 0"
    assert (again.features, again.test_error) == (2, pytest.approx(plain.test_error, rel=1e-9))


def test_frames_of_mixed_columns():
    frame = pd.DataFrame(
        {"a": [1, 2, 4], "b": pd.array([1.5, None, 3], dtype="Float64"), "y": [True, False, True]}
    )
    with pytest.raises(ArgumentError, match="is missing in row 1, column b"):
        tables.table(frame)
    x, y = tables.table(frame[["a", "y"]])
    assert x.tolist() == [[1], [2], [4]] and y.tolist() == [1, 0, 1]
    for column in (["x", "u", "v"], pd.to_datetime(["2020", "2021", "2022"]), [1j, 2, 3]):
        with pytest.raises(ArgumentError, match="holds text or dates in c"):
            tables.table(frame.assign(c=column)[["a", "c", "y"]])
    twice = pd.DataFrame([[1, 2, 3], [3, 1, 5], [2, 2, 2]], columns=["a", "a", "y"])
    assert tables.table(twice)[0].shape == (3, 2)
    with pytest.raises(ArgumentError, match="must name one column"):
        tables.table(twice, target="a")


def test_a_table_knows_its_columns():
    table = Table(np.ones((2, 3)), ("a", "", "c"), {2: (1, "x")})
    assert table.without(0).texts == {1: (1, "x")}
    assert [table.name(k) for k in range(3)] == ["a", "number 1", "c"]
