"""The hub receives signed webhooks, routes them by one YAML file, and renders and delivers what is owed.

The path of one event, one module a step; between the lines stands a row of the store:

    web/app -> ingest/receive -> sources/svix (clerk is one) -> ingest/fanout -> ingest/route -> store
    delivery/worker -> cycle -> executor -> render -> destinations/slack -> completion_queue -> cycle (retry)
        -> store

Once the routes are judged, the event and its deliveries are written in one transaction, committed before the
sender is answered. The second line is a worker's, as often as it takes. Packages are named after what happens
to an event; one named after a kind has a file for each.
"""

__version__ = "0.1.0"
