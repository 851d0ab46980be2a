"""The ``file`` kind: rows from files on this machine, SFTP, HTTP or S3."""

from connectors.kinds.file.source import FileSource

__all__ = ["FileSource"]
