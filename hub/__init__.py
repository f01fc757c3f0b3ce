"""The hub: receives signed webhooks, routes them by one YAML file, renders and delivers what is owed.

The path of one event, one module a step:

    receive -> sources/clerk -> fanout -> route -> store   (one transaction, then 200)
                                                     |
    store <- destinations/slack <- render <- deliver <-    (one worker, as often as it takes)

A file means there is one of these; a folder means there are many of a kind and yours goes there.
"""

__version__ = "0.1.0"
