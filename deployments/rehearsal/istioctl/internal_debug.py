"""`x internal-debug`: an istiod's own debug pages, printed as JSON."""

import json

from deployments.rehearsal.istioctl import istiods
from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import CommandError, UsageError


def internal_debug(context: Context) -> None:
    """Print one page of the first istiod, or with --all of each."""
    if not context.options.arguments:
        raise UsageError(
            "debug type is required, you can specify --list flag to list supported debug types"
        )
    revision = istiods.revision_or_default(context)
    pods = istiods.running(context, revision=revision)
    if not pods:
        raise CommandError(f'no running Istio pods in "{context.istio_namespace}"')
    page = f"/debug/{context.options.arguments[0]}"
    if not context.options.has("all"):
        answer = json.loads(istiods.ask(context, pods[0], page, as_proxy=True))
        context.terminal.say(json.dumps(answer, indent=2))
        return
    answers = {
        pod["metadata"]["name"]: json.loads(istiods.ask(context, pod, page, as_proxy=True))
        for pod in pods
    }
    context.terminal.say(json.dumps(answers, indent=2))
