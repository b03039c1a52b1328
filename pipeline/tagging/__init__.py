"""From text to marks; knows nothing of Beam, the log or DuckDB."""
