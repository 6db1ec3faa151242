"""`python -m authz_service` is the command `authz`."""

from authz_service.cli.main import main

main()
