"""Findings: which of them stop a run, and what an override has to say."""

from tasks.domain.findings import Finding, Severity, blocking


def finding(code: str, severity: Severity = Severity.BLOCKS, subject: str = "cluster") -> Finding:
    return Finding(code=code, severity=severity, subject=subject, fact="So it is.", todo="Look.")


def test_only_what_blocks_stops_a_run() -> None:
    found = [
        finding("a", Severity.WARNS),
        finding("b", Severity.BLOCKS),
        finding("c", Severity.INFORMS),
    ]
    assert blocking(found, overridden=()) == (found[1],)


def test_an_override_names_one_finding_about_one_object() -> None:
    cart = finding("paused-deployment", subject="shop/Deployment/cart")
    till = finding("paused-deployment", subject="shop/Deployment/till")
    assert cart.name == "paused-deployment:shop/Deployment/cart"
    assert blocking([cart, till], overridden=[cart.name]) == (till,)
    assert blocking([cart, till], overridden=["paused-deployment"]) == (cart, till)
