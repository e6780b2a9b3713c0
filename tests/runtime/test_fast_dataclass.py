"""Frozen classes with slots: what the standard library makes of them, and what is made of them here."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from typing import Any

import pytest

from potnet.runtime import fast_dataclass


@fast_dataclass.dataclass(frozen=True, slots=True)
class Inner:
    number: int


@fast_dataclass.dataclass(frozen=True, slots=True)
class Outer:
    """Some of everything."""

    name: str
    inner: Inner = field(default_factory=lambda: Inner(3))
    others: tuple[str, ...] = ()

    @property
    def both(self) -> tuple[str, ...]:
        return (self.name, *self.others)


@fast_dataclass.dataclass(frozen=True, slots=True)
class Empty:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """Some of everything."""

    name: str
    inner: Inner = field(default_factory=lambda: Inner(3))
    others: tuple[str, ...] = ()


BOTH = pytest.mark.parametrize("made", [Outer, Standard])


@BOTH
def test_values_are_given_by_place_or_name_and_have_defaults(made: Any) -> None:
    one = made("a", others=("b",))
    assert (one.name, one.inner, one.others) == ("a", Inner(3), ("b",))
    assert made("a", Inner(4), ()).inner == Inner(4)
    for arguments, names in (((), {}), (("a",), {"name": "b"}), (("a",), {"unknown": 1}), ((1, 2, 3, 4), {})):
        with pytest.raises(TypeError, match=f"{made.__name__}.__init__"):
            made(*arguments, **names)


@BOTH
def test_values_are_equal_by_class_and_fields(made: Any) -> None:
    assert made("a") == made("a") and hash(made("a")) == hash(made("a"))
    assert made("a") != made("b") and made("a") != ("a", Inner(3), ())
    assert Inner(1) != 1 and Empty() == Empty() and Inner(1) != Empty()
    assert Outer("a") != Standard("a")
    assert len({made("a"), made("a"), made("b")}) == 2


@BOTH
def test_values_do_not_change(made: Any) -> None:
    one = made("a")
    for change in (lambda: setattr(one, "name", "b"), lambda: delattr(one, "name")):
        with pytest.raises(FrozenInstanceError):
            change()
    assert not hasattr(one, "__dict__")


@BOTH
def test_the_standard_library_takes_them_for_its_own(made: Any) -> None:
    one = made("a")
    assert is_dataclass(one) and is_dataclass(made)
    assert replace(one, name="b", others=("c",)) == made("b", Inner(3), ("c",))
    assert asdict(one) == {"name": "a", "inner": {"number": 3}, "others": ()}
    assert [each.name for each in fields(made)] == ["name", "inner", "others"]
    assert [each.name for each in fields(one)] == ["name", "inner", "others"]
    with pytest.raises(TypeError):
        replace(one, unknown=1)


@BOTH
def test_values_are_copied_shown_and_matched(made: Any) -> None:
    one = made("a")
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == copy.deepcopy(one) == one
    assert repr(one) == f"{made.__name__}(name='a', inner=Inner(number=3), others=())"
    match one:
        case Outer(name, Inner(number)) | Standard(name, Inner(number)):
            assert (name, number) == ("a", 3)
        case _:
            pytest.fail("it does not match")
    assert made.__doc__ == "Some of everything." and made.__module__ == __name__


def test_what_is_not_to_be_compared_is_not() -> None:
    @fast_dataclass.dataclass(frozen=True, slots=True)
    class Noted:
        value: int
        notes: tuple[str, ...] = field(default=(), compare=False)

    assert Noted(1, ("a",)) == Noted(1) != Noted(2) and len({Noted(1, ("a",)), Noted(1)}) == 1
    assert replace(Noted(1), notes=("b",)).notes == ("b",)


def test_what_is_more_than_plain_is_left_to_the_standard_library() -> None:
    @fast_dataclass.dataclass(slots=True)
    class Loose:
        value: int = 0

    @fast_dataclass.dataclass
    class Bare:
        value: int

    assert Bare(1) == Bare(1)
    loose = Loose()
    loose.value = 2
    assert loose == Loose(2)
    assert Outer("a", others=("b",)).both == ("a", "b")
