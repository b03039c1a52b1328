"""Daily series to forecasts, alarms and their track record."""
