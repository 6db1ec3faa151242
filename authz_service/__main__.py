"""The command `authz`, also as `python -m authz_service`."""

import sys

EXIT_INTERRUPTED = 130
"""As typer ends commands, and what a shell says of a process that Ctrl-C has ended."""


def main() -> None:
    try:
        # This takes half a second, within which somebody may want to stop it, too.
        from authz_service.cli.main import main as run  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
