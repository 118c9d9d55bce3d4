"""From a model to a package: compress, convert, check, package, each stage made once."""
