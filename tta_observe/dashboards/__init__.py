"""
One table of panels and one of alerts; Grafana's dashboards, Prometheus' rules, the report and the README come from it.

``python -m tta_observe.dashboards`` writes the generated files of a checkout.
"""
