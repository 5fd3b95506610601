"""The report in a real browser; `install.sh` puts what is needed in place."""
