"""What people see of the proxies: a sentence, and a row a namespace."""

from deployments.rehearsal.rehearsing.progress import Progress

OLD, NEW = "1-28-3", "1-29-1"


def progress(**counts: dict[str, int]) -> Progress:
    found = Progress(old=OLD, new=NEW)
    found.take(counts)
    return found


def test_the_sentence_counts_the_old_ones_first() -> None:
    found = progress(shop={NEW: 2, OLD: 1}, bank={OLD: 4}, istiod={NEW: 1, OLD: 1})

    assert found.sentence() == "proxies: 5 on 1-28-3, 2 on 1-29-1; istiod: 1-28-3, 1-29-1"


def test_a_cluster_without_proxies_says_so() -> None:
    assert progress().sentence() == "proxies: none; istiod: none"


def test_a_namespace_whose_last_proxy_has_gone_has_no_row() -> None:
    found = progress(shop={OLD: 1})
    found.take({"shop": {}})

    assert found.rows() == ([], 0)


def test_of_many_namespaces_those_that_move_are_shown() -> None:
    many = {f"still-{number:02}": {OLD: 1} for number in range(30)}
    found = progress(**many, zoo={OLD: 1, NEW: 1})

    rows, left_out = found.rows()

    assert rows[0].name == "zoo"
    assert rows[0].share(NEW) == 0.5
    assert left_out == 31 - len(rows)
