"""Istio versions and revision names: what is read, and what is refused with a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain import errors
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.revision import Version, checked_revision, is_dns_label

NUMBERS = st.integers(min_value=0, max_value=9999)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1.29.1", id="as a person writes it"),
        pytest.param("v1.29.1", id="as a tag of the source"),
        pytest.param("1.29.1-unknown-Clean", id="as an istiod says of itself"),
        pytest.param("1.29.1-distroless", id="as an image is tagged"),
    ],
)
def test_a_version_is_read_from(text: str) -> None:
    assert Version.parse(text) == Version(1, 29, 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("latest", id="a word"),
        pytest.param("1.29", id="no patch"),
        pytest.param("1.29.1.2", id="four numbers"),
        pytest.param("1.29.x", id="a placeholder"),
        pytest.param("1-29-1", id="a revision name"),
        pytest.param(" 1.29.1", id="a leading space"),
        pytest.param("1.29.1\n", id="a trailing line end"),
        pytest.param("-1.29.1", id="a sign"),
        pytest.param("1.29.1-", id="nothing after the dash"),
        pytest.param("1.29.1-a b", id="a space within"),
        pytest.param("1.29.1; rm -rf /", id="a command"),
        pytest.param("1.29.1-../../x", id="a path"),
        pytest.param("1.29.\u0661", id="a digit of another script"),
        pytest.param("1.29.10000", id="a number that no release has"),
        pytest.param("1." * 100_000, id="very much of it"),
    ],
)
def test_no_version_is_read_from(text: str) -> None:
    with pytest.raises(BadInputError, match=r"looks like 1\.29\.1, not"):
        Version.parse(text)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_version_survives_being_written_and_read(major: int, minor: int, patch: int) -> None:
    version = Version(major, minor, patch)
    assert Version.parse(str(version)) == version


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_derived_revision_is_one_that_istioctl_takes(
    major: int, minor: int, patch: int
) -> None:
    name = Version(major, minor, patch).revision
    assert checked_revision(name) == name == f"{major}-{minor}-{patch}"


def test_versions_are_ordered_by_number_not_by_letter() -> None:
    assert Version.parse("1.9.10") < Version.parse("1.10.2") < Version.parse("1.10.10")


@pytest.mark.parametrize(
    ("new", "old", "minors"),
    [
        pytest.param("1.29.1", "1.28.3", 1, id="the next minor"),
        pytest.param("1.29.1", "1.29.0", 0, id="a patch"),
        pytest.param("1.29.1", "1.26.3", 3, id="a skip"),
        pytest.param("1.28.3", "1.29.1", -1, id="a downgrade"),
        pytest.param("2.0.0", "1.29.1", 971, id="a new major is far away"),
        pytest.param("1.29.1", "2.0.0", -971, id="an old major is far back"),
    ],
)
def test_distance_in_minors(new: str, old: str, minors: int) -> None:
    assert Version.parse(new).minors_ahead_of(Version.parse(old)) == minors


@pytest.mark.parametrize("name", ["1-29-1", "canary", "a", "0", "a" * 63, "a--b"])
def test_a_revision_name_is_taken(name: str) -> None:
    assert is_dns_label(name)
    assert checked_revision(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("1.29.1", id="a version, with dots"),
        pytest.param("Canary", id="upper case"),
        pytest.param("-canary", id="begins with a dash"),
        pytest.param("canary-", id="ends with a dash"),
        pytest.param("a" * 64, id="too long"),
        pytest.param("canary\n", id="a line end"),
        pytest.param("../canary", id="a path"),
        pytest.param("--purge", id="an option of istioctl"),
        pytest.param("kanári", id="another script"),
        pytest.param("\u0661", id="a digit of another script"),
    ],
)
def test_a_revision_name_is_refused_as_no_dns_label(name: str) -> None:
    assert not is_dns_label(name)
    with pytest.raises(BadInputError, match="DNS-1123 label"):
        checked_revision(name)


def test_the_canary_may_not_be_called_default() -> None:
    with pytest.raises(BadInputError, match="an istiod without a revision calls itself"):
        checked_revision("default")


def test_the_canary_may_not_be_called_what_unreadable_proxies_are_listed_under() -> None:
    with pytest.raises(BadInputError, match="whose revision cannot be read"):
        checked_revision("unknown")


def test_every_error_on_purpose_has_the_same_root_and_stands_in_the_tree() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) == 8
    for kind in kinds:
        assert issubclass(kind, UpgradeError)
        assert errors.__doc__ is not None
        assert kind.__name__ in errors.__doc__
