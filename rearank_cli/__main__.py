"""`python -m rearank_cli` is the command `rearank`."""

from rearank_cli.cli.app import main

if __name__ == "__main__":
    main()
