"""What all stands on: files written whole or not at all, bundled data, processes, the cache of finished stages."""
