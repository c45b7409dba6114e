"""The dashboards against Grafana's own code, run by Node."""
