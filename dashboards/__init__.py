"""Grafana dashboards as code, and the viewer that shows the same panels."""
