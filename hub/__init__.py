"""The hub receives signed webhooks, routes them by one YAML file, and renders and delivers what is owed.

The path of one event, one module a step; between the lines stands a row of the store:

    ingest/receive -> sources/clerk -> ingest/fanout -> ingest/route -> store
    delivery/cycle -> delivery/executor -> delivery/render -> destinations/slack -> delivery/retry -> store

The first line is one transaction, committed before the sender is answered. The second is a worker's, as often
as it takes. Packages are named after what happens to an event; one named after a kind has a file for each.
"""

__version__ = "0.1.0"
