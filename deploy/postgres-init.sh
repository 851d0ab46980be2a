#!/bin/sh
# Run once by the postgres image, in an empty data folder: one database and one owner for the registry and for Airflow.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -v registry="$REGISTRY_PASSWORD" -v airflow="$AIRFLOW_DB_PASSWORD" <<'SQL'
CREATE ROLE shuqiao LOGIN PASSWORD :'registry';
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE DATABASE shuqiao OWNER shuqiao TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
CREATE DATABASE airflow OWNER airflow TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
SQL
