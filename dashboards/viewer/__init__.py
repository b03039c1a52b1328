"""A small web page that shows the dashboards over the published file."""
