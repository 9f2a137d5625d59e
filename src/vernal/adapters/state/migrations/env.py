"""Alembic's entry: it works inside the transaction that `open_store` holds, so a migration is all or nothing."""

from alembic import context

from vernal.adapters.state.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
