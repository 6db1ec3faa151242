"""`authz policy`: publish and show policies."""

from pathlib import Path
from typing import Annotated

import typer

from authz_service.cli import output

app = typer.Typer(help="Publish and show policies.", no_args_is_help=True)


@app.command()
def publish(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders whose .polar files make the policy.")
    ],
    *,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Check a policy and make it the active one. All files together replace the policy before.

    Exit code 3 means that the policy has errors; they are printed, and the old policy stays active.

    Example: authz policy publish policies/security_company
    """
    files = _texts(paths)
    with output.asking(target, store, timeout) as client:
        published = client.publish_policy(files)
    if as_json:
        output.print_json(
            {
                "policy_version": published.version,
                "consistency_token": published.consistency_token,
            }
        )
    else:
        output.stdout.print(f"policy version {published.version} is active", highlight=False)


@app.command()
def show(
    *,
    version: Annotated[
        int, typer.Option("--version", min=0, help="The version to show; 0 is the active one.")
    ] = 0,
    target: output.Target = output.DEFAULT_TARGET,
    store: output.Store = output.DEFAULT_STORE,
    timeout: output.Timeout = output.DEFAULT_TIMEOUT,
    as_json: output.Json = False,
) -> None:
    """Print a policy as it was published."""
    with output.asking(target, store, timeout) as client:
        policy = client.get_policy(version)
    if as_json:
        output.print_json(
            {
                "policy_version": policy.version,
                "published_at": policy.published_at.isoformat(),
                "files": dict(policy.files),
            }
        )
        return
    for name, text in policy.files.items():
        output.stdout.print(f"# {name}, version {policy.version}", style="dim", markup=False)
        output.stdout.print(text, end="", markup=False, highlight=False)


def _texts(paths: list[Path]) -> dict[str, str]:
    """Return the policy's texts by the name of their file. Names must be unique."""
    files: dict[str, str] = {}
    for path in paths:
        found = sorted(path.glob("**/*.polar")) if path.is_dir() else [path]
        if not found:
            output.fail(f"there is no .polar file in {path}", output.EXIT_USAGE)
        for file in found:
            try:
                files[str(file)] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                output.fail(f"cannot read {file}: {error}", output.EXIT_USAGE)
    return files
