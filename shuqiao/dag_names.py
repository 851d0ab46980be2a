"""What the hub's DAGs and pools are called: for whoever names one without importing Airflow (which takes seconds)."""

TAG = "shuqiao"
"""Every DAG of the hub carries it."""
DAG_PREFIX = "ingest."
"""Before the connector's name: the DAG that runs it."""
POOL_PREFIX = "source."
"""Before the connection's id: the pool of a source."""
