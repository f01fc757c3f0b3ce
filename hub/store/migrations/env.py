"""Alembic's way to run the revisions: on the connection that it is handed, inside its transaction."""

from alembic import context

from hub.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
