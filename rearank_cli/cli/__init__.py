"""One file per verb: options in, one library call, output."""
