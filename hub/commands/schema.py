"""`hub schema`: the JSON Schemas of the user's files."""

from __future__ import annotations

import click

from hub.commands import Section
from hub.config.block_schemas import schema_text
from hub.config.routes_schema import routes_schema
from hub.preview.cases.schema import cases_schema

SECTION = Section.WRITE


@click.command("schema", short_help="Print the JSON Schema of routes.yaml, for editors.")
@click.option("--tests", is_flag=True, help="That of routes.test.yaml instead.")
def command(tests: bool) -> None:
    """Print the JSON Schema of routes.yaml, for editors."""
    click.echo(schema_text(cases_schema() if tests else routes_schema()), nl=False)
