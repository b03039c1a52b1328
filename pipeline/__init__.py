"""The path of a message: records, log, tagging, warehouse, forecasts, jobs."""
