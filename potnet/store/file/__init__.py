"""The store's file: connection, versions, copies, permissions."""

#: The file, in the state directory.
FILE_NAME = "potnet.db"
