"""Running the server from the command line: what its end and the policy it follows mean to a person."""

import asyncio

from authz_service.cli import output
from authz_service.cli.findings import print_findings, tested
from authz_service.errors import AuthzError
from authz_service.pap.administration import PolicyPublished
from authz_service.pap.policy_files import PolicyFilesUnreadable
from authz_service.polar.diagnostic import PolicyInvalid, PolicyTestsFailed
from authz_service.server.app import ListenFailed, StoredPolicyInvalid, serve
from authz_service.server.follow import Outcome, PolicyFollower
from authz_service.server.log import log_to_stderr
from authz_service.server.supervisor import WorkersFailed, supervise
from authz_service.settings import Settings


def run_server(settings: Settings) -> None:
    """Serve until a signal comes. What ends the server otherwise is a message and an exit code."""
    log_to_stderr(settings.log_level)
    follower = None
    if settings.policy:
        follower = PolicyFollower(settings.policy, _tell, is_watching=settings.watch)
    run = serve if settings.workers == 1 else supervise
    try:
        asyncio.run(run(settings, follower))
    except StoredPolicyInvalid as error:
        print_findings(output.stdout, error.cause.diagnostics)
        output.fail(f"{error}: {error.cause.summary}", output.EXIT_POLICY)
    except PolicyTestsFailed as error:
        print_findings(output.stdout, error.diagnostics)
        output.fail(error.summary, output.EXIT_FINDINGS)
    except PolicyInvalid as error:
        print_findings(output.stdout, error.diagnostics)
        output.fail(error.summary, output.EXIT_POLICY)
    except PolicyFilesUnreadable as error:
        output.fail(str(error), output.EXIT_USAGE)
    except AuthzError as error:
        output.fail(error.message, output.EXIT_UNANSWERED)
    except (ListenFailed, WorkersFailed) as error:
        output.fail(str(error), output.EXIT_UNANSWERED)


def _tell(outcome: Outcome) -> None:
    """Print what became of an attempt to publish the policy that is being worked on."""
    if isinstance(outcome, PolicyPublished):
        print_findings(output.stdout, outcome.warnings)
        message = f"policy version {outcome.version.version} is active, {tested(outcome.tests)}"
        output.stdout.print(message, style="green", highlight=False)
        return
    if isinstance(outcome, PolicyInvalid):
        print_findings(output.stdout, [*outcome.diagnostics, *outcome.warnings])
    said = outcome.summary if isinstance(outcome, PolicyInvalid) else str(outcome)
    message = f"not published: {said}; the policy before, if any, stays active"
    output.stdout.print(message, style="bold red", highlight=False)
