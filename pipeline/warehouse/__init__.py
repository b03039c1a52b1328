"""The private DuckDB file, the privacy gate and the published file."""
